// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_reaper.hpp"

#include <fmt/format.h>

namespace berth::sim {

namespace {

const std::string address = "reaper";
constexpr Duration down_least{50};
constexpr Duration down_most{3'000};

template <class Body>
constexpr const char* service_of() {
    return std::is_same_v<Body, TerminateOrphanRequest> ? "scaler" : "allocator";
}

}  // namespace

SimReaper::SimReaper(World& world, reaper::Policy policy)
    : world_(world),
      policy_(std::move(policy)),
      state_(reaper::make_state(policy_, world.now)),
      follower_(world, address,
                {.on_view = [this](ViewReply reply) { take(std::move(reply)); },
                 .on_fact = [this](const FactRecord& record) { take(record); },
                 .on_lost = [this] { take(reaper::ViewLost{}); },
                 .on_head = [this](const LedgerHead& head) { take(head); }}) {
    follower_.subscribe();
    world_.subscribe(address, std::string{event_name<HostHeartbeat>});
    world_.subscribe(address, std::string{event_name<HostActivity>});
    world_.subscribe(address, std::string{event_name<HostObjected>});
    world_.subscribe(address, std::string{event_name<ProviderSnapshot>});
}

void SimReaper::begin() {
    up_ = true;
    const auto life = ++life_;
    world_.start_clock(address);
    world_.connect(address, address, *this);
    state_ = reaper::make_state(policy_, world_.now_of(address));
    follower_.begin();
    tick(life);
}

void SimReaper::crash() {
    if (!up_) return;
    up_ = false;
    world_.disconnect(address);
    follower_.end();
    const auto life = ++life_;
    world_.after(address, world_.pick(down_least, down_most), [this, life] {
        if (life == life_) begin();
    });
}

bool SimReaper::dies() {
    if (!world_.strikes(world_.faults.crash_watcher, "crash_reaper")) return false;
    crash();
    return true;
}

void SimReaper::tick(std::uint64_t life) {
    if (life != life_) return;
    take(reaper::Tick{});
    world_.after(address, policy_.tick, [this, life] { tick(life); });
}

void SimReaper::receive(const LetterPtr& received) {
    world_.after(address, Duration{0}, [this, received, life = life_] {
        const auto& letter = *received;
        if (life != life_ || !up_ || follower_.hear(letter)) return;
        if (letter.name == event_name<HostHeartbeat>) {
            const auto beat = letter.share<HostHeartbeat>();
            return take(reaper::HostHeard{beat->host, beat->incarnation});
        }
        if (letter.name == event_name<HostActivity>) return take(letter.as<HostActivity>());
        if (letter.name == event_name<HostObjected>) return take(letter.as<HostObjected>());
        if (letter.name == event_name<ProviderSnapshot>) return take(letter.as<ProviderSnapshot>());
    });
}

void SimReaper::take(reaper::Input input) {
    if (!up_) return;
    const auto out = reaper::step(state_, std::move(input), world_.now_of(address));
    for (const auto& line : out.lines) {
        world_.mark("reaper " + line.event);
        if (world_.tracing) world_.note(fmt::format("reaper {} {} {}", line.event, line.subject, line.why));
    }
    for (const auto& intent : out.intents) {
        if (dies()) return;
        world_.publish(address, intent.idle, intent.reason, intent.idle.host.value);
    }
    for (const auto& wanted : out.asks) {
        if (dies()) return;
        ask(wanted);
    }
}

void SimReaper::ask(const reaper::Ask& wanted) {
    const auto answered = [this, life = life_, id = wanted.id](Result<Letter> reply) {
        if (life != life_ || !up_) return;
        if (reply) return take(reaper::Answered{id, reply->as<Done>()});
        take(reaper::Answered{id, fail(reply.error())});
    };
    std::visit([&]<class Body>(const Body& body) {
        world_.request(address, address, service_of<Body>(), body, policy_.ask_timeout, answered);
    }, wanted.body);
}

}  // namespace berth::sim
