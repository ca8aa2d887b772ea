// SPDX-License-Identifier: Apache-2.0
#include "allocator/placement.hpp"

#include <fmt/format.h>

#include "base/check.hpp"

namespace berth::allocator {

namespace {

const HostHeartbeat* beat_of(const State& state, const HostView& host) {
    const auto at = state.seen.find(host.host);
    if (at == state.seen.end() || at->second.beat.incarnation != host.incarnation) return nullptr;
    return &at->second.beat;
}

// A filter says why not, or nothing.
struct Filter {
    std::string_view name;
    std::optional<std::string> (*refuses)(const State&, const HostView&, Instant);
};

constexpr Filter filters[] = {
    {"can start nothing", [](const State&, const HostView& host, Instant) { return host.impaired; }},
    {"recent failures",
     [](const State& state, const HostView& host, Instant now) -> std::optional<std::string> {
         if (host.failures < state.policy.host_failures_max) return std::nullopt;
         if (now >= host.failed_at + state.policy.host_failures_pause) return std::nullopt;
         return fmt::format("{} starts failed, the last at {}", host.failures, to_rfc3339(host.failed_at));
     }},
    {"not heard yet",
     [](const State& state, const HostView& host, Instant) -> std::optional<std::string> {
         if (beat_of(state, host)) return std::nullopt;
         return "no heartbeat since this allocator started";
     }},
};

// A prepared slot first, else the lowest free one.
std::uint32_t choose_slot(const State& state, const HostView& host) {
    std::vector<bool> prepared(host.slots.size());
    if (const auto* beat = beat_of(state, host)) {
        for (const auto& report : beat->slots) {
            if (report.slot < prepared.size() && report.phase == SlotPhase::prepared) prepared[report.slot] = true;
        }
    }
    std::optional<std::uint32_t> lowest;
    for (std::uint32_t slot = 0; slot < host.slots.size(); ++slot) {
        if (host.slots[slot].use != SlotUse::free) continue;
        if (prepared[slot]) return slot;
        if (!lowest) lowest = slot;
    }
    check(lowest.has_value(), "a candidate has a free slot");
    return *lowest;
}

// Of a host that is the only one in question and no candidate.
std::string why_no_candidate(const State& state, const HostId& id) {
    const auto at = state.view.hosts.find(id);
    if (at == state.view.hosts.end()) return "is not there";
    const auto& host = at->second;
    if (host.liveness != Liveness::live) return fmt::format("is {}", to_string(host.liveness));
    if (host.leaving) return fmt::format("is being emptied ({})", host.leaving->why);
    if (host.admission != Admission::open) return fmt::format("is {}", to_string(host.admission));
    return "is full: stop another workspace there";
}

struct Refusal {
    std::string_view filter;
    std::string why;
};
std::optional<Refusal> refusal_of(const State& state, const HostView& host, Instant now) {
    for (const auto& filter : filters) {
        if (auto why = filter.refuses(state, host, now)) return Refusal{filter.name, std::move(*why)};
    }
    return std::nullopt;
}

}  // namespace

bool has_standby(const State& state, const HostView& host) {
    const auto* beat = beat_of(state, host);
    if (!beat) return false;
    for (const auto& report : beat->slots) {
        if (report.phase == SlotPhase::prepared && report.slot < host.slots.size() &&
            host.slots[report.slot].use == SlotUse::free) {
            return true;
        }
    }
    return false;
}

std::optional<Placement> find_slot(const State& state, const PlacementRequest& request, Instant now,
                                   std::vector<std::string>& why_not) {
    const auto pool = state.candidates.find(request.pool);
    if (request.only_on) {
        const auto rank = state.ranks.find(*request.only_on);
        if (rank == state.ranks.end() || rank->second.first != request.pool) {
            why_not.push_back(fmt::format("its files are on {}, which {}", request.only_on->value, why_no_candidate(state, *request.only_on)));
            return std::nullopt;
        }
    }
    if (pool == state.candidates.end() || pool->second.empty()) {
        why_not.push_back(fmt::format("no host of pool {} is live, open and has a free slot", request.pool.value));
        return std::nullopt;
    }
    const auto passes = [&](const HostView& host) {
        const auto refusal = refusal_of(state, host, now);
        if (refusal) why_not.push_back(fmt::format("filter '{}' passed over {}: {}", refusal->filter, host.host.value, refusal->why));
        return !refusal;
    };
    const auto placed = [&](const Rank& rank, std::string_view score) {
        const auto& host = state.view.hosts.at(rank.host);
        Placement placement{rank.host, choose_slot(state, host), why_not};
        placement.evidence.push_back(fmt::format("score '{}': {} ({} free slots, {} failures, {})", score, rank.host.value,
                                                 rank.free_slots, rank.failures,
                                                 rank.no_standby == 0 ? "a standby" : "no standby"));
        return placement;
    };
    if (request.only_on) {
        const auto& rank = state.ranks.at(*request.only_on).second;
        if (!passes(state.view.hosts.at(rank.host))) return std::nullopt;
        return placed(rank, "its files are there");
    }
    if (request.had_before) {
        const auto rank = state.ranks.find(*request.had_before);
        if (rank != state.ranks.end() && rank->second.second.failures == 0 && pool->second.contains(rank->second.second) &&
            passes(state.view.hosts.at(rank->first))) {
            return placed(rank->second.second, "had it before");
        }
    }
    std::size_t examined = 0;
    for (const auto& rank : pool->second) {
        if (++examined > candidates_examined_max) break;
        if (passes(state.view.hosts.at(rank.host))) return placed(rank, "fewest failures, standby, fullest");
    }
    return std::nullopt;
}

std::optional<std::string> why_passed_over(const State& state, const PoolName& pool, Instant now) {
    const auto candidates = state.candidates.find(pool);
    if (candidates == state.candidates.end()) return std::nullopt;
    std::optional<std::string> first;
    std::size_t examined = 0;
    for (const auto& rank : candidates->second) {
        if (++examined > candidates_examined_max) break;
        const auto refusal = refusal_of(state, state.view.hosts.at(rank.host), now);
        if (!refusal) return std::nullopt;
        if (!first) first = fmt::format("{}: {}", rank.host.value, refusal->why);
    }
    return first;
}

}  // namespace berth::allocator
