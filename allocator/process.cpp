// SPDX-License-Identifier: Apache-2.0
#include "allocator/process.hpp"

#include <algorithm>
#include <utility>

#include "base/diagnostics.hpp"

namespace berth::allocator {

namespace {

constexpr std::uint32_t facts_per_answer_max = 5'000;

}  // namespace

Process::Process(bus::Loop& of_loop, bus::Endpoint& of_endpoint, Ledger& ledger, State begun, ShellPolicy shell_policy)
    : Shell(of_loop, of_endpoint, std::move(begun)), ledger_(ledger), shell_policy_(shell_policy), snapshot_at_(view().position) {}

Result<std::unique_ptr<Process>> Process::open(bus::Loop& loop, bus::Endpoint& endpoint, Ledger& ledger, Policy policy,
                                               ShellPolicy shell_policy, const std::vector<PoolDefined>& pools, std::optional<View> known) {
    auto view = TRY(replay(ledger, [](Position at) { log_info("ledger.replayed", {{"position", at}}); }, std::move(known)));
    std::unique_ptr<Process> process{new Process(loop, endpoint, ledger, make_state(std::move(policy), std::move(view)), shell_policy)};
    auto& self = *process;
    self.feed(Begin{ledger.id(), self.state().policy.version});
    PoolsConfigured all;
    for (const auto& pool : pools) {
        self.feed(PoolConfigured{pool});
        all.pools.push_back(pool.pool);
    }
    self.feed(std::move(all));
    self.end_round();
    if (self.failure()) return fail(*self.failure());
    self.serve_all();
    self.serve_queries();
    self.hear_all();
    self.tick(shell_policy.tick, [] { return Tick{}; });
    // Not from the past: a beacon of an allocator that was replaced would be taken for a ledger that went back.
    loop.every(shell_policy.beacon, [&self] { self.answer_when_durable([&self] { return [&self] { self.publish_head(); }; }); });
    loop.every(shell_policy.tidy_every, [&self] { self.tidy(); });
    return process;
}

// ---- in

template <class T>
void Process::serve_asked() {
    serve<T>([](CallerId caller, T body, const bus::Delivery& delivery) {
        return Asked<T>{caller, delivery.stamp.role, delivery.stamp.sender, delivery.envelope.id, std::move(body)};
    });
}

void Process::serve_all() {
    serve_asked<ClaimRequest>();
    serve_asked<ClaimOutcomeRequest>();
    serve_asked<LinkRequest>();
    serve_asked<ReleaseRequest>();
    serve_asked<DestroyRequest>();
    serve_asked<ExtendRequest>();
    serve_asked<HoldRequest>();
    serve_asked<SaveHomeRequest>();
    serve_asked<ChooseHomeRequest>();
    serve_asked<RegisterRequest>();
    serve_asked<HostHeartbeat>();
    serve_asked<CordonRequest>();
    serve_asked<UncordonRequest>();
    serve_asked<DrainRequest>();
    serve_asked<EndHostRequest>();
    serve_asked<PermitCheckRequest>();
    serve_asked<UnknownRequest>();
    serve_asked<GoneRequest>();
    serve_asked<CondemnRequest>();
    serve_asked<LaunchRequest>();
    serve_asked<LaunchFailedRequest>();
    serve_asked<LaunchMetRequest>();
    serve_asked<HostPricedRequest>();
    serve_asked<ReapRequest>();
}

void Process::serve_queries() {
    endpoint().serve<ViewRequest>([this](ViewRequest, const bus::Delivery&, bus::Responder to) {
        answer_when_durable([this, to = std::move(to)] {
            const auto reply = std::make_shared<ViewReply>(ViewReply{view(), {}});
            for (const auto& [host, seen] : state().seen) reply->heartbeats.push_back(seen.beat);
            return [to, reply] { to.reply(*reply); };
        });
    });
    // Facts are read from the ledger itself, which gives what is durable.
    endpoint().serve<FactsRequest>([this](FactsRequest wanted, const bus::Delivery&, bus::Responder to) {
        answer_when_durable([this, wanted = std::move(wanted), to = std::move(to)] {
            return [this, wanted, to] {
                const auto limit = std::min(wanted.limit, facts_per_answer_max);
                const Position from{std::max<std::uint64_t>(wanted.from.value, 1)};
                auto facts = wanted.subject ? ledger_.read_about(*wanted.subject, from, limit) : ledger_.read(from, limit);
                if (!facts) return to.refuse(facts.error());
                to.reply(FactsReply{std::move(*facts), ledger_.head()});
            };
        });
    });
}

void Process::hear_all() {
    hear<ClaimRequest>([](ClaimRequest body, const bus::Delivery& delivery) {
        return Asked<ClaimRequest>{std::nullopt, delivery.stamp.role, delivery.stamp.sender, delivery.envelope.id, std::move(body)};
    });
    hear<HostObjected>([](HostObjected body, const bus::Delivery& delivery) {
        return Asked<HostObjected>{std::nullopt, delivery.stamp.role, delivery.stamp.sender, delivery.envelope.id, std::move(body)};
    });
    hear<WorkspaceIdle>([](WorkspaceIdle body, const bus::Delivery& delivery) -> std::optional<Input> {
        if (delivery.envelope.reason) return IdleIntended{std::move(body), *delivery.envelope.reason, delivery.envelope.id};
        log_warn("idle.without_reason", {{"sender", delivery.stamp.sender}});
        return std::nullopt;
    });
}

// ---- out

void Process::keep(const Decisions& decided, std::function<void(Result<void>)> done) {
    const auto expected = decided.facts.empty() ? ledger_.head() : Position{decided.facts.front().position.value - 1};
    ledger_.append(decided.facts, expected, [done = std::move(done)](Result<void> outcome) {
        if (!outcome) log_error("ledger.failed", {{"kind", outcome.error().kind}, {"why", outcome.error().text}});
        done(std::move(outcome));
    });
}

void Process::out(const FactRecord& fact) {
    endpoint().publish_fact(ledger_.id(), fact);
    if (!is_logged(LogLevel::info)) return;
    const auto subjects = subjects_of(fact.fact);
    log_info(type_of(fact.fact), {{"position", fact.position},
                                  {"subject", subjects.empty() ? std::string{} : subjects.front()},
                                  {"why", fact.reason.why()}});
}

void Process::out(const Command& command) {
    std::visit(
        [&]<class T>(const T& body) {
            ask(body, command.timeout, {.key = command.host.value, .cause = command.cause}, [id = command.id](Result<ReplyTo<T>> outcome) {
                return CommandAnswered{id, outcome ? Result<HostAnswer>{HostAnswer{std::move(*outcome)}} : Result<HostAnswer>{fail(outcome.error())}};
            });
        },
        command.body);
}

void Process::publish_head() {
    endpoint().publish(LedgerHead{ledger_.id(), view().term, ledger_.head(),
                                  storage_ == Storage::low ? std::optional{std::string{to_string(storage_)}} : std::nullopt});
}

// ---- what is done while nobody waits

void Process::tidy() {
    end_round();
    if (failed()) return;
    if (const auto saved = save_snapshot(); !saved) log_warn("snapshot.failed", {{"why", saved.error().text}});
    const auto storage = ledger_.tidy();
    if (!storage) {
        log_error("ledger.failed", {{"kind", storage.error().kind}, {"why", storage.error().text}});
        return fail_with(storage.error());
    }
    if (*storage == storage_) return;
    storage_ = *storage;
    log_warn("storage", {{"room", storage_}});
    feed(StorageChanged{storage_});
}

// Only of a state that is durable: while an append is under way the next call does it. A snapshot costs by
// what it holds, so a large one waits for as many facts: it never costs more than what it saves.
Result<void> Process::save_snapshot() {
    const auto head = ledger_.head();
    const auto held = view().claims.size() + view().workspaces.size() + view().hosts.size();
    const auto due = snapshot_at_.value + std::max<std::uint64_t>(shell_policy_.snapshot_facts, held);
    if (head.value < due || view().position != head) return {};
    TRY(ledger_.save_snapshot(view()));
    snapshot_at_ = head;
    return {};
}

}  // namespace berth::allocator
