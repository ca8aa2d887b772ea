// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_allocator.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace berth::sim {

namespace {

constexpr Duration tick_every{100};
constexpr Duration beacon_every{1'000};
constexpr Duration down_least{50};
constexpr Duration down_most{2'000};
constexpr Duration disk_least{20};
constexpr Duration disk_most{3'000};
const std::string address = "allocator";

template <class T>
struct is_asked : std::false_type {};
template <class T>
struct is_asked<allocator::Asked<T>> : std::true_type {
    using Body = T;
};

// The input that a letter is, found by its catalog name.
template <std::size_t I = 0>
std::optional<allocator::Input> input_of(const Letter& letter, std::optional<allocator::CallerId> caller) {
    if constexpr (I == std::variant_size_v<allocator::Input>) {
        return std::nullopt;
    } else {
        using Alternative = std::variant_alternative_t<I, allocator::Input>;
        if constexpr (is_asked<Alternative>::value) {
            using Body = typename is_asked<Alternative>::Body;
            const auto name = letter.kind == LetterKind::request ? request_name<Body> : event_name<Body>;
            if (!name.empty() && letter.name == name) {
                return Alternative{caller, role_of(letter.from), letter.from, fmt::format("m{}", letter.id), letter.as<Body>()};
            }
        }
        return input_of<I + 1>(letter, caller);
    }
}

}  // namespace

SimAllocator::SimAllocator(World& world, SimLedger& ledger, std::string process, allocator::Policy policy,
                           std::vector<PoolDefined> pools)
    : world_(world), ledger_(ledger), process_(std::move(process)), policy_(std::move(policy)), pools_(std::move(pools)),
      state_(allocator::make_state(policy_, {})) {}

void SimAllocator::begin() {
    if (fenced_) return;
    up_ = true;
    if (on_begin) on_begin();
    const auto life = ++life_;
    world_.start_clock(process_);
    world_.connect(process_, address, *this);
    callers_.clear();
    waiting_.clear();
    writing_ = false;
    state_ = allocator::make_state(policy_, ledger_.replay());
    give(allocator::Begin{state_.view.ledger.empty() ? "L" : state_.view.ledger, "sim"});
    for (const auto& pool : pools_) {
        if (life == life_ && up_) give(allocator::PoolConfigured{pool});
    }
    tick(life);
    beacon(life);
}

void SimAllocator::crash() {
    if (!up_) return;
    up_ = false;
    world_.disconnect(process_);
    const auto life = ++life_;
    world_.after(process_, world_.pick(down_least, down_most), [this, life] {
        if (life == life_) begin();
    });
}

void SimAllocator::end() {
    up_ = false;
    world_.disconnect(process_);
    fenced_ = true;
    ++life_;
}

bool SimAllocator::dies() {
    if (!world_.strikes(world_.faults.crash_allocator, "crash_allocator", process_)) return false;
    crash();
    return true;
}

void SimAllocator::tick(std::uint64_t life) {
    if (life != life_ || !up_) return;
    give(allocator::Tick{});
    world_.after(process_, tick_every, [this, life] { tick(life); });
}

void SimAllocator::beacon(std::uint64_t life) {
    if (life != life_ || !up_) return;
    world_.publish(process_, LedgerHead{state_.view.ledger, state_.view.term, state_.view.position});
    world_.after(process_, beacon_every, [this, life] { beacon(life); });
}

// A frozen process reads its letters when it thaws.
void SimAllocator::receive(const LetterPtr& letter) {
    world_.after(process_, Duration{0}, [this, letter, life = life_] {
        if (life != life_ || !up_) return;
        if (!writing_) return hear(letter);
        waiting_.push_back([this, letter] { hear(letter); });
    });
}

void SimAllocator::hear(const LetterPtr& heard) {
    const auto& letter = *heard;
    if (letter.name == event_name<WorkspaceIdle>) {
        return give(allocator::IdleIntended{letter.as<WorkspaceIdle>(), letter.reason.value(), fmt::format("m{}", letter.id)});
    }
    if (letter.name == request_name<ViewRequest>) {
        ViewReply reply{.view = state_.view};
        for (const auto& [id, seen] : state_.seen) reply.heartbeats.push_back(seen.beat);
        return world_.reply<ViewReply>(letter, std::move(reply));
    }
    std::optional<allocator::CallerId> caller;
    if (letter.kind == LetterKind::request) {
        caller = ++last_caller_;
        callers_[*caller] = heard;
    }
    if (const auto input = input_of(letter, caller)) give(*input);
}

bool SimAllocator::append(const std::vector<FactRecord>& facts) {
    if (facts.empty()) return true;
    const Position expected{facts.front().position.value - 1};
    if (world_.strikes(world_.faults.torn_append, "torn_append", process_)) {
        const std::vector<FactRecord> kept(facts.begin(), facts.begin() + static_cast<std::ptrdiff_t>(world_.pick(facts.size() + 1)));
        if (!kept.empty()) (void)ledger_.append(expected, kept);
        crash();
        return false;
    }
    const auto durable = ledger_.append(expected, facts);
    if (durable) return true;
    if (durable.error().kind == ErrorKind::fenced) {
        world_.mark("fenced by the ledger");
        end();
    } else {
        crash();                          // it must recover from what is on disk
    }
    return false;
}

void SimAllocator::give(const allocator::Input& input) {
    if (!writing_) return give_now(input);
    waiting_.push_back([this, input] { give(input); });
}

// The real ledger is locked as long as its allocator lives, so nobody writes to it behind the back of one
// that answers. Here another one may: then a client gets no answer of the past. Hosts do; terms fence those.
bool SimAllocator::answers_of_the_past(const allocator::Decisions& out) const {
    if (!out.facts.empty() || ledger_.head() == state_.view.position) return false;   // an append is fenced by itself
    return std::any_of(out.replies.begin(), out.replies.end(), [&](const auto& reply) {
        const auto asked = callers_.find(reply.caller);
        return asked != callers_.end() && role_of(asked->second->from) == Role::client;
    });
}

// append → replies → publish → commands. While a slow disk writes, the process does nothing else.
void SimAllocator::give_now(const allocator::Input& input) {
    auto out = allocator::step(state_, input, world_.now_of(process_));
    if (dies()) return;
    if (answers_of_the_past(out)) {
        world_.mark("fenced by the ledger's lock");
        return end();
    }
    if (out.facts.empty() || !world_.strikes(world_.faults.disk_slow, "disk_slow")) {
        if (append(out.facts) && !dies()) leave(std::move(out));
        return;
    }
    writing_ = true;
    world_.after(process_, world_.pick(disk_least, disk_most), [this, life = life_, out = std::move(out)] {
        if (life != life_ || !up_) return;
        writing_ = false;
        if (!append(out.facts) || dies()) return;
        leave(out);
        while (life == life_ && up_ && !writing_ && !waiting_.empty()) {
            const auto next = std::move(waiting_.front());
            waiting_.pop_front();
            next();
        }
    });
}

void SimAllocator::leave(allocator::Decisions out) {
    for (auto& reply : out.replies) {
        auto to = callers_.extract(reply.caller);
        if (to.empty()) continue;
        if (!reply.body) {
            world_.reply<Done>(*to.mapped(), fail(reply.body.error()));
        } else {
            std::visit([&]<class Body>(Body& body) { world_.reply(*to.mapped(), Result<Body>{std::move(body)}); }, *reply.body);
        }
        if (dies()) return;
    }
    for (const auto& fact : out.facts) {
        world_.publish_fact(process_, fact);
        if (dies()) return;
    }
    for (const auto& progress : out.progress) world_.publish(process_, progress);
    for (const auto& command : out.commands) {
        send(command);
        if (dies()) return;
    }
}

void SimAllocator::send(const allocator::Command& command) {
    std::visit(
        [&](const auto& body) {
            using Body = std::decay_t<decltype(body)>;
            const auto answered = [this, life = life_, id = command.id](Result<Letter> reply) {
                if (life != life_ || !up_) return;
                if (reply) return give(allocator::CommandAnswered{id, allocator::HostAnswer{reply->template as<ReplyTo<Body>>()}});
                give(allocator::CommandAnswered{id, fail(reply.error())});
            };
            world_.request(process_, address, command.host.value, body, command.timeout, answered);
        },
        command.body);
}

}  // namespace berth::sim
