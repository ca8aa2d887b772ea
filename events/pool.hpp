// SPDX-License-Identifier: Apache-2.0
// Pools, launches in flight, and what a provider was seen to have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/time.hpp"
#include "events/activity.hpp"
#include "events/home.hpp"
#include "events/host.hpp"

namespace berth {

BERTH_ENUM(BufferUnit, slots, hosts)
BERTH_ENUM(LaunchFailure, quota, capacity, permission, configuration, throttle, lost)

inline constexpr Duration home_save_usual{5 * 60'000};   // of a pool that does not say

/// Fact `pool.defined`, from [pool.<name>] of the configuration (events/pools_config.hpp), when it
/// differs from the last one. The defaults are for one machine, which shows buffer and growth.
struct PoolDefined {
    PoolName pool;
    std::string provider = "local";
    std::uint32_t slots_per_host = 20;    // workspaces on one host; not set, provider local has 4: a laptop
    BufferUnit buffer_unit = BufferUnit::slots;
    std::uint32_t buffer = 2;             // ready slots (or idle hosts) to keep
    std::uint32_t hosts_min = 0;
    std::uint32_t hosts_max = 4;
    std::uint32_t standbys = 2;           // prepared environments per host
    Duration ttl_ms{8 * 3'600'000};       // lease length when the claim names none
    Duration ttl_max_ms{24 * 3'600'000};  // cap of every expiry, counted from now
    Duration hold_max_ms{8 * 3'600'000};
    Duration lifetime_max_ms{7LL * 24 * 3'600'000};
    Duration idle_after_ms{15 * 60'000};
    std::optional<IdleJobs> idle_jobs = IdleJobs::any;                      // any, busy or none: does what a terminal still runs count as use
    std::optional<Duration> idle_job_max_ms = Duration{8 * 3'600'000};      // one job counts so long at most
    std::optional<HomePlace> home_place;                 // shared, host or archive; absent: shared, and nobody checks that it is
    std::optional<std::string> home_repository;          // of place archive
    std::optional<std::string> home_password_file;       // on each host
    std::optional<std::string> home_environment_file;    // on each host
    std::optional<Duration> home_save_every_ms;          // while in use, beside the stop; 0: at the stop alone
    BERTH_FIELDS(PoolDefined, pool, provider, slots_per_host, buffer_unit, buffer, hosts_min, hosts_max, standbys,
                 ttl_ms, ttl_max_ms, hold_max_ms, lifetime_max_ms, idle_after_ms, idle_jobs, idle_job_max_ms,
                 home_place, home_repository, home_password_file, home_environment_file, home_save_every_ms)

    HomeRule home_rule() const {
        return {home_place.value_or(HomePlace::shared), home_repository.value_or(""), home_password_file.value_or(""),
                home_environment_file.value_or(""), home_save_every_ms.value_or(home_save_usual)};
    }

    JobsRule jobs_rule() const {
        const JobsRule usual;
        return {idle_jobs.value_or(usual.jobs), idle_job_max_ms.value_or(usual.max)};
    }
};

/// The provider of hosts that no provider launched: an operator's own machines, enrolled by hand. Nobody
/// but an operator ends one, and no listing says anything of it.
inline constexpr std::string_view static_provider = "static";

struct PoolRetired {                      // configured no more: nothing new lands there, its hosts are ended
    PoolName pool;
    BERTH_FIELDS(PoolRetired, pool)
};

struct LaunchRequest {                    // `allocator.launch`: the scaler asks before it launches (I31)
    PoolName pool;
    std::uint32_t count = 0;
    std::string why;
    std::vector<std::string> evidence;
    BERTH_FIELDS(LaunchRequest, pool, count, why, evidence)
};
struct LaunchReply {
    std::vector<LaunchId> launches;       // each is the provider's client token: launching twice is once
    Instant deadline;
    BERTH_FIELDS(LaunchReply, launches, deadline)
};
struct LaunchFailedRequest {              // `allocator.launch_failed`
    LaunchId launch;
    LaunchFailure failure = LaunchFailure::lost;
    std::string text;
    BERTH_FIELDS(LaunchFailedRequest, launch, failure, text)
};
struct LaunchStarted {
    LaunchId launch;
    PoolName pool;
    Instant started_at;
    Instant deadline;
    BERTH_FIELDS(LaunchStarted, launch, pool, started_at, deadline)
};
struct LaunchFailed {
    LaunchId launch;
    PoolName pool;
    LaunchFailure failure = LaunchFailure::lost;
    std::string text;
    BERTH_FIELDS(LaunchFailed, launch, pool, failure, text)
};

/// `allocator.launch_met`: the machine that this launch brought is that host's, which registered without
/// knowing its launch, as the machines of a group may. Whoever launched it has it from then on.
struct LaunchMetRequest {
    LaunchId launch;
    HostRef host;
    std::string provider;
    BERTH_FIELDS(LaunchMetRequest, launch, host, provider)
};
struct LaunchMet {
    LaunchId launch;
    PoolName pool;
    HostRef host;
    std::string provider;
    BERTH_FIELDS(LaunchMet, launch, pool, host, provider)
};

/// `allocator.host_priced`: what the machine of that host costs, when its provider first says it or says otherwise.
struct HostPricedRequest {
    HostRef host;
    HostPrice price;
    BERTH_FIELDS(HostPricedRequest, host, price)
};
struct HostPriced {
    HostRef host;
    HostPrice price;
    BERTH_FIELDS(HostPriced, host, price)
};

BERTH_ENUM(InstanceState, pending, running, stopping, stopped, terminating, terminated)

struct Instance {
    std::string instance;                 // the provider's id
    HostIncarnation incarnation;          // empty when the provider cannot tell
    std::optional<LaunchId> launch;
    PoolName pool;
    InstanceState state = InstanceState::pending;
    Instant launched_at;
    bool protected_from_scale_in = false;
    std::optional<std::string> public_address;     // each of these only where the provider knows it
    std::optional<std::string> private_address;
    std::optional<HostPrice> price;
    std::optional<std::string> notice;             // it will be taken away, or is not well, in the provider's words
    BERTH_FIELDS(Instance, instance, incarnation, launch, pool, state, launched_at, protected_from_scale_in, public_address, private_address,
                 price, notice)
};

/// A machine that the provider tried to bring and could not, seen in its own records after the call had worked.
struct LaunchTrouble {
    PoolName pool;
    Instant at;
    LaunchFailure failure = LaunchFailure::lost;
    std::string text;
    std::optional<std::string> machine_type;
    std::optional<std::string> zone;
    BERTH_FIELDS(LaunchTrouble, pool, at, failure, text, machine_type, zone)
};

/// What is unsafe or strange about a pool at its provider, in plain words with the way out.
struct PoolAdvice {
    PoolName pool;
    std::string text;
    BERTH_FIELDS(PoolAdvice, pool, text)
};

/// Observation `provider.snapshot`, every 10 s per provider. Only a complete listing may be read as
/// "what is not here does not exist".
struct ProviderSnapshot {
    std::string provider;
    Instant read_at;
    bool complete = false;
    std::vector<Instance> instances;
    std::optional<std::vector<LaunchTrouble>> troubles;   // of the last hour, oldest first
    std::optional<std::vector<PoolAdvice>> advice;        // of its last audit
    BERTH_FIELDS(ProviderSnapshot, provider, read_at, complete, instances, troubles, advice)
};

struct TerminateOrphanRequest {           // `scaler.terminate_orphan`, from the reaper (I17)
    std::string instance;
    HostIncarnation incarnation;
    std::vector<std::string> evidence;
    BERTH_FIELDS(TerminateOrphanRequest, instance, incarnation, evidence)
};

}  // namespace berth
