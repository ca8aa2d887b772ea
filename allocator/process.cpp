// SPDX-License-Identifier: Apache-2.0
#include "allocator/process.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/diagnostics.hpp"

namespace berth::allocator {

namespace {

constexpr std::uint32_t facts_per_answer_max = 5'000;

template <class T>
void append_to(std::vector<T>& to, std::vector<T>& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

Process::Process(bus::Loop& loop, bus::Endpoint& endpoint, Ledger& ledger, State state, ShellPolicy shell_policy)
    : loop_(loop), endpoint_(endpoint), ledger_(ledger), state_(std::move(state)), shell_policy_(shell_policy) {}

Result<std::unique_ptr<Process>> Process::open(bus::Loop& loop, bus::Endpoint& endpoint, Ledger& ledger, Policy policy,
                                               ShellPolicy shell_policy, const std::vector<PoolDefined>& pools) {
    auto view = TRY(replay(ledger, [](Position at) { log_info("ledger.replayed", {{"position", at}}); }));
    const auto snapshot_at = view.position;
    std::unique_ptr<Process> process{new Process(loop, endpoint, ledger, make_state(std::move(policy), std::move(view)),
                                                 shell_policy)};
    process->snapshot_at_ = snapshot_at;
    process->feed(Begin{ledger.id(), process->state_.policy.version});
    for (const auto& pool : pools) process->feed(PoolConfigured{pool});
    process->commit();
    if (process->failure_) return fail(*process->failure_);
    process->serve();
    process->serve_queries();
    process->listen();
    auto* self = process.get();
    loop.every(shell_policy.tick, [self] { self->feed(Tick{}); });
    loop.every(shell_policy.beacon, [self] { self->publish_head(); });
    loop.every(shell_policy.tidy_every, [self] { self->tidy(); });
    loop.after_each_round([self] { self->commit(); });
    return process;
}

// ---- in

template <class T>
void Process::serve_one() {
    endpoint_.serve<T>([this](T body, const bus::Delivery& delivery, bus::Responder to) {
        const auto caller = next_caller_++;
        callers_.emplace(caller, std::move(to));
        feed(Asked<T>{caller, delivery.stamp.role, delivery.stamp.sender, delivery.envelope.id, std::move(body)});
    });
}

void Process::serve() {
    serve_one<ClaimRequest>();
    serve_one<ClaimOutcomeRequest>();
    serve_one<LinkRequest>();
    serve_one<ReleaseRequest>();
    serve_one<DestroyRequest>();
    serve_one<ExtendRequest>();
    serve_one<HoldRequest>();
    serve_one<RegisterRequest>();
    serve_one<HostHeartbeat>();
    serve_one<CordonRequest>();
    serve_one<UncordonRequest>();
    serve_one<DrainRequest>();
    serve_one<PermitCheckRequest>();
    serve_one<UnknownRequest>();
    serve_one<GoneRequest>();
    serve_one<LaunchRequest>();
    serve_one<LaunchFailedRequest>();
    serve_one<ReapRequest>();
}

void Process::serve_queries() {
    endpoint_.serve<ViewRequest>([this](ViewRequest, const bus::Delivery&, bus::Responder to) {
        queries_.emplace_back([this, to = std::move(to)] {
            ViewReply reply{state_.view, {}};
            for (const auto& [host, seen] : state_.seen) reply.heartbeats.push_back(seen.beat);
            to.reply(reply);
        });
    });
    endpoint_.serve<FactsRequest>([this](FactsRequest wanted, const bus::Delivery&, bus::Responder to) {
        queries_.emplace_back([this, wanted = std::move(wanted), to = std::move(to)] {
            const auto limit = std::min(wanted.limit, facts_per_answer_max);
            const Position from{std::max<std::uint64_t>(wanted.from.value, 1)};
            auto facts = wanted.subject ? ledger_.read_about(*wanted.subject, from, limit) : ledger_.read(from, limit);
            if (!facts) return to.refuse(facts.error());
            to.reply(FactsReply{std::move(*facts), ledger_.head()});
        });
    });
}

void Process::listen() {
    endpoint_.subscribe(event_name<ClaimRequest>, [this](const bus::Delivery& delivery) {
        auto body = delivery.as<ClaimRequest>();
        if (!body) return log_warn("claim.unreadable", {{"sender", delivery.stamp.sender}, {"why", body.error().text}});
        feed(Asked<ClaimRequest>{std::nullopt, delivery.stamp.role, delivery.stamp.sender, delivery.envelope.id,
                                 std::move(*body)});
    });
    endpoint_.subscribe(event_name<HostObjected>, [this](const bus::Delivery& delivery) {
        auto body = delivery.as<HostObjected>();
        if (!body) return log_warn("objection.unreadable", {{"sender", delivery.stamp.sender}, {"why", body.error().text}});
        feed(Asked<HostObjected>{std::nullopt, delivery.stamp.role, delivery.stamp.sender, delivery.envelope.id,
                                 std::move(*body)});
    });
    endpoint_.subscribe(event_name<WorkspaceIdle>, [this](const bus::Delivery& delivery) {
        auto body = delivery.as<WorkspaceIdle>();
        if (!body || !delivery.envelope.reason) {
            return log_warn("idle.unreadable", {{"sender", delivery.stamp.sender}});
        }
        feed(IdleIntended{std::move(*body), *delivery.envelope.reason, delivery.envelope.id});
    });
}

void Process::feed(const Input& input) {
    if (failure_) return;
    auto decided = step(state_, input, loop_.now());
    append_to(pending_.facts, decided.facts);
    append_to(pending_.replies, decided.replies);
    append_to(pending_.progress, decided.progress);
    append_to(pending_.commands, decided.commands);
}

// ---- out

void Process::commit() {
    while (!failure_ && !(pending_.facts.empty() && pending_.replies.empty() && pending_.progress.empty() &&
                          pending_.commands.empty() && queries_.empty())) {
        auto now = std::exchange(pending_, {});
        auto queries = std::exchange(queries_, {});
        if (!now.facts.empty()) {
            const Position expected{now.facts.front().position.value - 1};
            if (auto durable = ledger_.append(now.facts, expected); !durable) return stop_for(durable.error());
        }
        for (const auto& reply : now.replies) answer(reply);
        for (const auto& query : queries) query();
        let_out(std::move(now.facts));
        for (const auto& progress : now.progress) {
            endpoint_.publish(progress, {.subject = progress.claim.value});
        }
        for (const auto& command : now.commands) send(command);
    }
}

void Process::let_out(std::vector<FactRecord> facts) {
    for (const auto& fact : facts) {
        endpoint_.publish_fact(ledger_.id(), fact);
        const auto subjects = subjects_of(fact.fact);
        log_info(type_of(fact.fact), {{"position", fact.position},
                                      {"subject", subjects.empty() ? std::string{} : subjects.front()},
                                      {"why", fact.reason.why()}});
    }
}

void Process::answer(const Reply& reply) {
    const auto at = callers_.find(reply.caller);
    if (at == callers_.end()) return;
    if (!reply.body) {
        at->second.refuse(reply.body.error());
    } else {
        std::visit([&](const auto& body) { at->second.reply(body); }, *reply.body);
    }
    callers_.erase(at);
}

void Process::send(const Command& command) {
    std::visit([&](const auto& body) { send(command, body); }, command.body);
}

template <class T>
void Process::send(const Command& command, const T& body) {
    endpoint_.request<T>(
        body, command.timeout,
        [this, id = command.id](Result<ReplyTo<T>> reply) {
            feed(CommandAnswered{id, reply ? Result<HostAnswer>{HostAnswer{std::move(*reply)}}
                                           : Result<HostAnswer>{fail(reply.error())}});
        },
        {.key = command.host.value, .cause = command.cause});
}

void Process::publish_head() {
    endpoint_.publish(LedgerHead{ledger_.id(), state_.view.term, ledger_.head(),
                                 storage_ == Storage::low ? std::optional{std::string{to_string(storage_)}} : std::nullopt});
}

void Process::tidy() {
    commit();
    if (failure_) return;
    if (ledger_.head().value >= snapshot_at_.value + shell_policy_.snapshot_facts) {
        if (const auto saved = ledger_.save_snapshot(state_.view); !saved) {
            log_warn("snapshot.failed", {{"why", saved.error().text}});
        } else {
            snapshot_at_ = ledger_.head();
        }
    }
    const auto storage = ledger_.tidy();
    if (!storage) return stop_for(storage.error());
    if (*storage == storage_) return;
    storage_ = *storage;
    log_warn("storage", {{"room", storage_}});
    feed(StorageChanged{storage_});
}

void Process::stop_for(Error error) {
    log_error("ledger.failed", {{"kind", error.kind}, {"why", error.text}});
    failure_ = std::move(error);
    loop_.stop();
}

}  // namespace berth::allocator
