// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/options.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace berth::sim {

namespace {

// Periods that are short enough that a minute heals everything.
void choose_periods(Options& options, Rng& rng) {
    auto& policy = options.allocator;
    policy.heartbeat = Duration{static_cast<std::int64_t>(500 + rng.below(2'500))};
    policy.claim_wait = Duration{20'000};
    policy.start_deadline = Duration{static_cast<std::int64_t>(5'000 + rng.below(10'000))};
    policy.bind_timeout = Duration{static_cast<std::int64_t>(1'000 + rng.below(9'000))};
    policy.command_timeout = Duration{static_cast<std::int64_t>(500 + rng.below(3'500))};
    policy.command_retry = Duration{static_cast<std::int64_t>(100 + rng.below(1'900))};
    policy.host_failures_pause = Duration{10'000};
    policy.launch_deadline = Duration{20'000};
    policy.recovery_settle = Duration{45'000};     // longer than any pause or partition: whoever lives is met
    auto& host = options.host;
    host.heartbeat = Duration{2'000};
    host.confirm_every = Duration{2'000};
    host.inventory_every = Duration{static_cast<std::int64_t>(1'000 + rng.below(4'000))};
    host.prepare_deadline = Duration{5'000};
    host.bind_deadline = Duration{2'000};
    host.remove_deadline = Duration{3'000};
    host.remove_retry = Duration{500};
    host.broken_retry = Duration{5'000};
    host.restart_pause = Duration{500};
    host.standby_retry = Duration{1'000};
    host.standby_retry_max = Duration{5'000};
}

// Hosts come and go within the minutes of a world.
void choose_fleet(Options& options, Rng& rng) {
    const auto millis = [&](std::uint64_t least, std::uint64_t most) {
        return Duration{static_cast<std::int64_t>(least + rng.below(most - least))};
    };
    auto& pool = options.pool;
    pool.pool = {"default"};
    pool.provider = "sim";
    pool.slots_per_host = static_cast<std::uint32_t>(1 + rng.below(3));
    pool.buffer_unit = rng.chance(0.5) ? BufferUnit::slots : BufferUnit::hosts;
    pool.buffer = static_cast<std::uint32_t>(rng.below(pool.buffer_unit == BufferUnit::slots ? 6 : 3));
    pool.hosts_min = static_cast<std::uint32_t>(rng.below(2));
    pool.hosts_max = std::max(options.hosts, 1U) + static_cast<std::uint32_t>(rng.below(4));
    pool.standbys = static_cast<std::uint32_t>(rng.below(3));
    pool.idle_after_ms = rng.chance(0.6) ? millis(12'000, 30'000) : Duration{0};
    pool.lifetime_max_ms = rng.chance(0.3) ? millis(30'000, 120'000) : Duration{24 * 3'600'000LL};
    auto& reaper = options.reaper;
    reaper.heartbeat = options.allocator.heartbeat;
    reaper.activity = Duration{3'000};
    reaper.beacon_silence = Duration{3'500};
    reaper.objection = millis(2'000, 8'000);
    reaper.intent_grace = Duration{4'000};
    reaper.intent_grace_max = Duration{8'000};
    reaper.retry_max = Duration{4'000};
    reaper.settle = Duration{2'000};
    reaper.ask_timeout = Duration{4'000};
    reaper.gone_between = millis(10'000, 16'000);
    reaper.orphan_grace = Duration{20'000};
    reaper.orphan_between = Duration{4'000};
    reaper.orphan_window = Duration{30'000};
    auto& scaler = options.scaler;
    scaler.list_every = millis(1'000, 4'000);
    scaler.cooldown = Duration{2'000};
    scaler.shrink_after = millis(4'000, 30'000);
    scaler.wipe_promise = Duration{4'000};
    scaler.grant_promise = Duration{5'000};
    scaler.host_failures_pause = options.allocator.host_failures_pause;
    scaler.registration_grace = Duration{8'000};
    scaler.backoff = Duration{500};
    scaler.backoff_slow = Duration{1'000};
    scaler.backoff_max = Duration{4'000};
    scaler.retry_max = Duration{4'000};
    scaler.ask_timeout = Duration{4'000};
    scaler.phase_max = Duration{15'000};
    scaler.launches_per_hour_max = 1'000;
}

}  // namespace

void keep_archives(Options& options, Duration save_every) {
    options.pool.home_place = HomePlace::archive;
    options.pool.home_repository = "/repository";
    options.pool.home_save_every_ms = save_every;
    options.host.home_retry = Duration{200};
    options.host.home_retry_max = Duration{2'000};
    options.host.home_check_every = Duration{10'000};
    options.allocator.restore_deadline = Duration{30'000};
}

Options choose_options(std::uint64_t seed) {
    Options options{.seed = seed};
    auto rng = Rng{seed}.split("options");
    options.hosts = static_cast<std::uint32_t>(rng.below(4));
    options.users = static_cast<std::uint32_t>(1 + rng.below(6));
    options.safety = Duration{static_cast<std::int64_t>(30'000 + rng.below(210'000))};
    options.habits.projects = static_cast<std::uint32_t>(1 + rng.below(3));
    options.habits.between = Duration{static_cast<std::int64_t>(500 + rng.below(9'500))};
    options.habits.destroys = rng.chance(0.5) ? 0 : 10;
    choose_periods(options, rng);
    choose_fleet(options, rng);
    options.faults = choose_faults(Rng{seed}.split("choice of faults"));
    auto homes = Rng{seed}.split("homes");
    if (homes.chance(0.3)) keep_archives(options, homes.chance(0.5) ? Duration{static_cast<std::int64_t>(2'000 + homes.below(20'000))} : Duration{0});
    return options;
}

std::string describe(const Options& options) {
    const auto& pool = options.pool;
    const std::string homes = pool.home_place == HomePlace::archive ? fmt::format("archives every {} ", to_text(*pool.home_save_every_ms)) : "";
    return homes + fmt::format("hosts={} (least {}, most {}) slots={} buffer={} {} idle_after={} users={} projects={} standbys={} between={} safety={} heartbeat={} {}",
                       options.hosts, pool.hosts_min, pool.hosts_max, pool.slots_per_host, pool.buffer, to_string(pool.buffer_unit),
                       to_text(pool.idle_after_ms), options.users, options.habits.projects, pool.standbys,
                       to_text(options.habits.between), to_text(options.safety), to_text(options.allocator.heartbeat),
                       describe(options.faults));
}

}  // namespace berth::sim
