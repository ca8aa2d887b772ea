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

// Who can read the configuration or the ledger would have it: "rest:https://user:secret@host/".
bool has_secret(std::string_view address) {
    const auto begin = address.find("://");
    if (begin == std::string_view::npos) return false;
    const auto authority = address.substr(begin + 3, address.find('/', begin + 3) - (begin + 3));
    const auto name = authority.find('@');
    return name != std::string_view::npos && authority.substr(0, name).find(':') != std::string_view::npos;
}

std::string_view why_no_home(const PoolDefined& pool) {
    const auto repository = pool.home_repository.value_or("");
    const bool archives = pool.home_place == HomePlace::archive;
    if (archives && repository.empty()) return "home_place is archive, but home_repository is not set";
    if (!archives && !repository.empty()) return "home_repository is set, but home_place is not archive";
    if (has_secret(repository)) return "home_repository holds a password: put it into home_environment_file on each host";
    if (!repository.empty() && (repository[0] == '-' || repository[0] == '.')) return "home_repository is an absolute path or an address, as sftp:user@host:/path";
    for (const auto& file : {pool.home_password_file, pool.home_environment_file}) {
        if (file && !file->empty() && !file->starts_with('/')) return "home_password_file and home_environment_file are absolute paths, on each host";
    }
    return {};
}

Result<void> check_pool(const PoolDefined& pool) {
    const auto bad = [&](std::string_view why) { return fail(ErrorKind::invalid, "[pool.{}]: {}", pool.pool.value, why); };
    if (const auto why = why_no_home(pool); !why.empty()) return bad(why);
    if (pool.home_save_every_ms.value_or(home_save_usual) < Duration{0}) return bad("home_save_every_ms is 0 or above");
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

Result<void> read_value(const Config::Setting& from, std::string_view key, std::optional<HomePlace>& to) {
    to = enum_from<HomePlace>(from.value);
    if (!to) return fail(ErrorKind::invalid, "{}: {} must be shared, host or archive, not '{}'", from.origin, key, from.value);
    return {};
}

Result<void> read_value(const Config::Setting& from, std::string_view key, std::optional<std::string>& to) {
    return read_value(from, key, to.emplace());
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
