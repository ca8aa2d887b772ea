// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scope.hpp"

#include <fmt/format.h>

#include "tests/sim/scope_world.hpp"

namespace berth::sim {

namespace {

/// Fingerprints seen so far; open addressing, since there may be hundreds of millions.
class SeenSet {
public:
    bool insert(std::uint64_t value) {
        if (value == 0) value = 1;
        if (4 * (size_ + 1) > 3 * slots_.size()) grow();
        if (!place(value)) return false;
        ++size_;
        return true;
    }
    std::uint64_t size() const { return size_; }

private:
    bool place(std::uint64_t value) {
        for (auto at = value & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
            if (slots_[at] == value) return false;
            if (slots_[at] != 0) continue;
            slots_[at] = value;
            return true;
        }
    }
    void grow() {
        auto old = std::exchange(slots_, std::vector<std::uint64_t>(slots_.size() * 2));
        for (const auto value : old) {
            if (value != 0) place(value);
        }
    }
    std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(1 << 16);
    std::uint64_t size_ = 0;
};

}  // namespace

std::string describe(const ScopeLimits& limits) {
    const auto many = [](std::uint32_t count, const char* what) { return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s"); };
    auto text = fmt::format("{} × {}, {} of {}, a release", many(limits.hosts, "host"), many(limits.slots, "slot"), many(limits.claims, "claim"),
                            many(std::min(limits.users, limits.claims), "user"));
    if (limits.in_order) text += ", connections in order";
    const std::pair<const char*, bool> faults[] = {{"drop", limits.drop}, {"duplicate", limits.duplicate}, {"crash", limits.crash},
                                                   {"machine's end", limits.end}, {"drain", limits.drain}, {"expiry", limits.expiry}};
    text += ", " + many(limits.strikes, "fault");
    std::string kinds;
    for (const auto& [name, may] : faults) {
        if (may) kinds += (kinds.empty() ? "" : "/") + std::string{name};
    }
    if (limits.strikes > 0) text += " (" + kinds + ")";
    return text;
}

std::vector<ScopeLimits> scope_worlds(std::uint32_t strikes) {
    std::vector<ScopeLimits> worlds;
    for (std::uint32_t users = 1; users <= 2; ++users) {
        worlds.push_back({.users = users, .strikes = strikes, .in_order = true, .late_last_words = strikes == 1});
        if (strikes <= 1) worlds.push_back({.users = users, .strikes = strikes, .crash = false, .expiry = false});
    }
    return worlds;
}

ScopeOutcome explore(const ScopeLimits& limits, const std::function<void(std::uint64_t)>& progress) {
    constexpr std::uint64_t progress_every = 1 << 20;
    struct Open {
        ScopeState state;
        std::vector<ScopeChoice> choices;
        std::size_t next = 0;             // the one before it is under way
    };
    ScopeWorld world(limits);
    ScopeOutcome outcome;
    SeenSet seen;
    std::vector<std::uint64_t> recent(1 << 22);   // most steps lead back to a state that was there just now
    std::vector<Open> path;
    bool waits_were_enough = true;        // alike states are one, so that no path should ever need so many
    std::size_t depth = 0;                // entries of `path` in use; the others keep their memory
    const auto enter = [&](const ScopeState& state) {
        const auto identity = world.identity(state);
        if (std::exchange(recent[identity % recent.size()], identity) == identity) return;
        if (!seen.insert(limits.literal ? identity : world.fingerprint(state))) return;
        if (progress && seen.size() % progress_every == 0) progress(seen.size());
        if (depth == path.size()) path.emplace_back();
        auto& open = path[depth++];
        open.state = state;
        open.next = 0;
        waits_were_enough = waits_were_enough && (state.waits < waits_max || limits.waits < waits_max);
        world.choices(state, open.choices);
        outcome.broken = world.broken(state);
        if (state.net.size() > 0) return;
        outcome.results.insert(world.result(state));
        if (outcome.broken.empty()) outcome.broken = world.unsettled(state);
    };
    enter(world.beginning());
    while (depth > 0 && outcome.broken.empty() && seen.size() < limits.states_max) {
        auto& here = path[depth - 1];
        if (here.next == here.choices.size()) {
            --depth;
            continue;
        }
        ++outcome.steps;
        enter(world.take(here.state, here.choices[here.next++]));
    }
    for (std::size_t step = 0; !outcome.broken.empty() && step + 1 < depth; ++step) {
        outcome.broken += "\n    " + world.name_of(path[step].state, path[step].choices[path[step].next - 1]);
    }
    outcome.states = seen.size();
    outcome.actors = world.actors();
    outcome.packets = world.packets();
    outcome.complete = depth == 0 && outcome.broken.empty() && waits_were_enough;
    return outcome;
}

}  // namespace berth::sim
