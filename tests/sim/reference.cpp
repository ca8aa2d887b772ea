// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/reference.hpp"

#include <algorithm>

namespace berth::sim {

Reference::Lease* Reference::active_of(const std::string& owner) {
    for (auto& lease : leases_) {
        if (lease.active && lease.owner == owner) return &lease;
    }
    return nullptr;
}

Reference::Answer Reference::claim(const std::string& principal, const std::string& key, const std::string& owner,
                                  const std::string& placed_on) {
    if (const auto known = keys_.find({principal, key}); known != keys_.end()) {
        const auto& [asked, answer] = known->second;
        if (asked != owner) return {.refused = ErrorKind::conflict};
        return answer;
    }
    Answer answer{.refused = ErrorKind::no_capacity};
    if (const auto* lease = active_of(owner)) {
        answer = {.owner = owner, .lease = lease->number};
    } else {
        for (auto& [name, slots] : hosts_) {
            const auto free = std::find(slots.begin(), slots.end(), 0U);
            if (closed_.contains(name) || free == slots.end() || (!placed_on.empty() && name != placed_on)) continue;
            leases_.push_back({.number = leases_.size() + 1, .owner = owner, .host = name});
            *free = leases_.back().number;
            known_.insert(owner);
            answer = {.owner = owner, .lease = leases_.back().number};
            break;
        }
    }
    keys_[{principal, key}] = {owner, answer};
    return answer;
}

Reference::Answer Reference::release(const std::string& owner) {
    if (!known_.contains(owner)) return {.refused = ErrorKind::not_found};
    auto* lease = active_of(owner);
    if (!lease) return {.count = 0};
    lease->active = false;
    for (auto& [name, slots] : hosts_) std::replace(slots.begin(), slots.end(), lease->number, std::uint64_t{0});
    return {.count = 1};
}

void Reference::end_host(const std::string& name) {
    for (auto& lease : leases_) {
        if (lease.host == name) lease.active = false;
    }
    hosts_.erase(name);
    closed_.erase(name);
}

std::uint32_t Reference::free_slots() const {
    std::uint32_t free = 0;
    for (const auto& [name, slots] : hosts_) {
        if (!closed_.contains(name)) free += static_cast<std::uint32_t>(std::count(slots.begin(), slots.end(), 0U));
    }
    return free;
}

std::uint32_t Reference::leases() const {
    return static_cast<std::uint32_t>(std::count_if(leases_.begin(), leases_.end(), [](const Lease& lease) { return lease.active; }));
}

}  // namespace berth::sim
