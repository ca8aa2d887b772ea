// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger/redis/audit.hpp"

#include <cstdlib>

namespace berth::allocator {

namespace {

constexpr std::uint64_t low_percent = 90;   // of maxmemory

std::string_view value_in(const RedisFacts& facts, std::string_view key) {
    const auto at = facts.find(key);
    return at == facts.end() ? std::string_view{} : std::string_view{at->second};
}
std::uint64_t number_in(const RedisFacts& facts, std::string_view key) { return std::strtoull(std::string{value_in(facts, key)}.c_str(), nullptr, 10); }

}  // namespace

RedisFacts parse_redis_info(std::string_view text) {
    RedisFacts facts;
    while (!text.empty()) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        const auto colon = line.find(':');
        if (line.starts_with('#') || colon == std::string_view::npos) continue;
        facts.emplace(line.substr(0, colon), line.substr(colon + 1));
    }
    return facts;
}

Result<void> audit_redis(const RedisFacts& info, const RedisFacts& config, const std::string& place) {
    const auto refuse = [&](std::string_view what, std::string_view line) {
        return fail(ErrorKind::conflict, "{} could lose what it acknowledged: {}. In redis.conf: {} (docs/stores.md)", place, what, line);
    };
    const auto version = value_in(info, "redis_version");
    if (std::atoi(std::string{version}.c_str()) < 6) return fail(ErrorKind::invalid, "{} is Redis {}; 6 or later is needed", place, version);
    if (const auto role = value_in(info, "role"); role != "master") {
        return refuse(fmt::format("it is a {}", role == "slave" ? "replica" : role), "no `replicaof` line, or name the master in [ledger] store");
    }
    if (value_in(config, "appendonly") != "yes") return refuse("it keeps no append-only file", "`appendonly yes`");
    if (const auto when = value_in(config, "appendfsync"); when != "always") {
        return refuse(fmt::format("it syncs its append-only file '{}'", when), "`appendfsync always`");
    }
    if (value_in(config, "no-appendfsync-on-rewrite") == "yes") {
        return refuse("it does not sync while it rewrites its append-only file", "`no-appendfsync-on-rewrite no`");
    }
    if (const auto policy = value_in(config, "maxmemory-policy"); number_in(config, "maxmemory") > 0 && policy != "noeviction") {
        return refuse(fmt::format("it throws keys away when it is full ({})", policy), "`maxmemory-policy noeviction`");
    }
    return {};
}

Storage redis_room(const RedisFacts& info) {
    const auto most = number_in(info, "maxmemory");
    return most > 0 && number_in(info, "used_memory") > most / 100 * low_percent ? Storage::low : Storage::ample;
}

}  // namespace berth::allocator
