// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/faults.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"

namespace berth::sim {

namespace {

void choose(Rng& rng, double& to, double most) {
    const bool on = rng.chance(0.5);
    const auto weight = static_cast<double>(1 + rng.below(1000)) / 1000.0;
    if (on) to = most * weight;
}

// A stream of their own: the faults of all others stay as they were.
void choose_bus_faults(Faults& chosen, Rng rng) {
    choose(rng, chosen.crash_broker, 0.04);
    choose(rng, chosen.forge, 0.1);
    choose(rng, chosen.version_newer, 0.6);
    choose(rng, chosen.version_older, 0.6);
}

}  // namespace

Faults choose_faults(Rng rng) {
    Faults chosen;
    choose_bus_faults(chosen, rng.split("bus"));
    auto homes = rng.split("homes");
    choose(homes, chosen.archive_fails, 0.3);
    choose(homes, chosen.archive_slow, 0.3);
    const auto maybe = [&](double& to, double most) { choose(rng, to, most); };
    maybe(chosen.drop, 0.3);
    maybe(chosen.duplicate, 0.4);
    maybe(chosen.replay_late, 0.05);
    const auto spread = rng.below(5000);
    chosen.delay_max = Duration{static_cast<std::int64_t>(rng.chance(0.5) ? 20 : 20 + spread)};
    maybe(chosen.crash_allocator, 0.01);
    maybe(chosen.crash_host, 0.01);
    maybe(chosen.torn_append, 0.01);
    maybe(chosen.disk_slow, 0.05);
    maybe(chosen.busy, 0.3);
    maybe(chosen.engine_fails, 0.2);
    maybe(chosen.engine_slow, 0.1);
    maybe(chosen.launch_fails, 0.3);
    maybe(chosen.answer_lost, 0.2);
    maybe(chosen.listing_partial, 0.9);
    maybe(chosen.listing_stale, 0.3);
    maybe(chosen.boot_slow, 0.3);
    maybe(chosen.crash_watcher, 0.05);
    maybe(chosen.pause, 0.02);
    maybe(chosen.partition, 0.04);
    maybe(chosen.host_dies, 0.015);
    maybe(chosen.host_reboots, 0.005);
    maybe(chosen.disk_full, 0.005);
    maybe(chosen.take_over, 0.005);
    maybe(chosen.container_dies, 0.02);
    // Wrong clocks hide what depends on deadlines, so most worlds have right ones.
    if (rng.chance(0.25)) {
        maybe(chosen.clock_step, 0.3);
        maybe(chosen.clock_jump, 0.02);
    }
    // What clients were told of the lost part is not judged any more, so few worlds have it.
    if (rng.chance(0.05)) maybe(chosen.restore_copy, 0.05);
    return chosen;
}

std::vector<std::string> kinds_of(const Faults& faults) {
    std::vector<std::string> kinds;
    const auto add = [&](const auto& field) {
        if constexpr (std::is_same_v<std::decay_t<decltype(faults.*field.member)>, double>) {
            if (faults.*field.member > 0) kinds.emplace_back(field.name);
        }
    };
    std::apply([&](const auto&... field) { (add(field), ...); }, Faults::fields());
    return kinds;
}

bool switch_off(Faults& faults, std::string_view name) {
    bool known = false;
    const auto off = [&](const auto& field) {
        auto& value = faults.*field.member;
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>) {
            if (field.name != name) return;
            value = 0;
            known = true;
        }
    };
    std::apply([&](const auto&... field) { (off(field), ...); }, Faults::fields());
    return known;
}

void make_likely(Faults& faults, std::string_view name) {
    constexpr double often = 0.05;
    bool known = name.empty();
    const auto raise = [&](const auto& field) {
        auto& value = faults.*field.member;
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>) {
            if (field.name != name) return;
            value = std::max(value, often);
            known = true;
        }
    };
    std::apply([&](const auto&... field) { (raise(field), ...); }, Faults::fields());
    check(known, "a fault has this name");
}

std::string describe(const Faults& faults) {
    std::string text;
    const auto add = [&](const auto& field) {
        const auto& value = faults.*field.member;
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Duration>) {
            text += fmt::format("{}={} ", field.name, to_text(value));
        } else if (value > 0) {
            text += fmt::format("{}={:.4f} ", field.name, value);
        }
    };
    std::apply([&](const auto&... field) { (add(field), ...); }, Faults::fields());
    return text;
}

}  // namespace berth::sim
