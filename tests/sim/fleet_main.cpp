// SPDX-License-Identifier: Apache-2.0
// A day of a fleet under given numbers, played by the real cores: how long people wait, what the
// hosts cost, what is stopped and why.
//
//   sim_fleet --people=200 --hosts=2 --slots=20 --buffer=20 --idle-minutes=15
#include <CLI/CLI.hpp>
#include <iostream>

#include "tests/sim/fleet.hpp"

int main(int argc, char** argv) {
    using namespace berth;
    sim::FleetPlan plan{.pool = {.pool = {"default"}, .provider = "sim", .slots_per_host = 20, .buffer = 20, .hosts_min = 1, .hosts_max = 100'000}};
    std::int64_t idle_minutes = 15;
    std::int64_t stay_minutes = 45;
    std::int64_t from_hour = 0;
    std::int64_t hours = 24;
    std::int64_t minutes = 0;
    std::int64_t period_s = 0;
    CLI::App app{"a day of a fleet without faults: waits and costs of these numbers"};
    app.add_option("--seed", plan.seed, "another day of the same kind");
    app.add_option("--hosts", plan.hosts, "at the beginning")->capture_default_str();
    app.add_option("--slots", plan.pool.slots_per_host, "of each host")->capture_default_str();
    app.add_option("--buffer", plan.pool.buffer, "ready slots to keep")->capture_default_str();
    app.add_option("--most-hosts", plan.pool.hosts_max, "the pool's maximum")->capture_default_str();
    app.add_option("--people", plan.people, "who come")->capture_default_str();
    app.add_option("--visits", plan.visits, "of one person in a day")->capture_default_str();
    app.add_option("--stay-minutes", stay_minutes, "mean time at work in one visit")->capture_default_str();
    app.add_option("--idle-minutes", idle_minutes, "until a quiet workspace is stopped")->capture_default_str();
    app.add_option("--from-hour", from_hour, "of the day, when it begins")->capture_default_str();
    app.add_option("--hours", hours, "to play")->capture_default_str();
    app.add_option("--minutes", minutes, "to play, instead of --hours");
    app.add_option("--period-s", period_s, "of heartbeats, readings of activity and looks at the engine (default: 15 as shipped; 30 from 5000 hosts on)");
    CLI11_PARSE(app, argc, argv);
    plan.pool.idle_after_ms = Duration{idle_minutes * 60'000};
    plan.stay = Duration{stay_minutes * 60'000};
    plan.from = Duration{from_hour * 3'600'000};
    plan.span = minutes > 0 ? Duration{minutes * 60'000} : Duration{hours * 3'600'000};
    // Waits and costs are nearly the same with both (docs/simulation.md), and it takes half the time.
    constexpr std::uint32_t large = 5'000;
    if (period_s <= 0) period_s = plan.hosts < large ? 15 : 30;
    plan.period = Duration{period_s * 1'000};
    std::cout << sim::text_of(sim::play(plan), plan);
    return 0;
}
