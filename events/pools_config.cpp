// SPDX-License-Identifier: Apache-2.0
#include "events/pools_config.hpp"

#include <algorithm>
#include <cctype>
#include <string>

namespace berth {

namespace {

constexpr std::uint32_t slots_most = 1000;      // of one host; what a heartbeat can carry
constexpr std::uint32_t hosts_most = 10'000;
constexpr std::uint32_t buffer_most = 100'000;  // as `berth up --buffer`

constexpr std::uint32_t slots_of_a_laptop = 4;  // of provider local: its hosts share one person's machine

bool is_label(std::string_view name) {
    const auto good = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; };
    return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), good);
}

Result<void> check_pool(const PoolDefined& pool) {
    const auto bad = [&](std::string_view why) { return fail(ErrorKind::invalid, "[pool.{}]: {}", pool.pool.value, why); };
    if (!is_label(pool.pool.value)) return bad("a pool's name is made of 1 to 63 letters, digits and '-'");
    if (pool.provider.empty()) return bad("provider is empty");
    if (pool.slots_per_host == 0 || pool.slots_per_host > slots_most) return bad("slots_per_host is from 1 to 1000");
    if (pool.hosts_max > hosts_most) return bad("hosts_max is at most 10000");
    if (pool.hosts_min > pool.hosts_max) return bad("hosts_min is above hosts_max");
    if (pool.buffer > buffer_most) return bad("buffer is at most 100000");
    if (pool.standbys > pool.slots_per_host) return bad("standbys is above slots_per_host");
    if (pool.ttl_ms.count() == 0 || pool.ttl_ms > pool.ttl_max_ms) return bad("ttl_ms is above 0 and at most ttl_max_ms");
    return {};
}

}  // namespace

// Found by read_section() through the types' own namespace.
Result<void> read_value(const Config::Setting& from, std::string_view key, PoolName&) {
    return fail(ErrorKind::invalid, "{}: {} can not be set: the pool's name is in [pool.<name>]", from.origin, key);
}

Result<void> read_value(const Config::Setting& from, std::string_view key, BufferUnit& to) {
    const auto found = enum_from<BufferUnit>(from.value);
    if (!found) return fail(ErrorKind::invalid, "{}: {} must be slots or hosts, not '{}'", from.origin, key, from.value);
    to = *found;
    return {};
}

Result<void> read_value(const Config::Setting& from, std::string_view key, std::optional<IdleJobs>& to) {
    to = enum_from<IdleJobs>(from.value);
    if (!to) return fail(ErrorKind::invalid, "{}: {} must be any, busy or none, not '{}'", from.origin, key, from.value);
    return {};
}

Result<std::vector<PoolDefined>> read_pools(const Config& config) {
    auto names = config.names_below("pool");
    if (names.empty()) names.push_back("default");
    std::vector<PoolDefined> pools;
    for (auto& name : names) {
        auto pool = TRY(read_section<PoolDefined>(config, "pool." + name));
        pool.pool.value = std::move(name);
        if (pool.provider == "local" && !config.find("pool." + pool.pool.value, "slots_per_host")) pool.slots_per_host = slots_of_a_laptop;
        // Fewer slots than the default number of standbys is no mistake of the writer.
        if (!config.find("pool." + pool.pool.value, "standbys")) pool.standbys = std::min(pool.standbys, pool.slots_per_host);
        TRY(check_pool(pool));
        pools.push_back(std::move(pool));
    }
    return pools;
}

}  // namespace berth
