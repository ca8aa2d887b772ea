// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger/open.hpp"

#include "allocator/ledger/dynamodb/store.hpp"
#include "allocator/ledger/redis/store.hpp"
#include "allocator/ledger/sqlite/store.hpp"
#include "redis/address.hpp"

namespace berth::allocator {

namespace {

Result<std::unique_ptr<Store>> open_sqlite(const std::string& file, const StoreSettings& settings) {
    if (file.empty()) return fail(ErrorKind::invalid, "store = 'sqlite:' names no file");
    return SqliteStore::open({file.starts_with('/') ? file : settings.state + "/" + file, settings.ballast_bytes});
}

Result<std::unique_ptr<Store>> open_redis(const std::string& text, const StoreSettings& settings) {
    auto address = redis::parse_address(text);
    if (!address) return fail(ErrorKind::invalid, "store = {}", address.error().text);
    RedisPlan plan{.place = std::move(address->place), .policy = settings.redis};
    if (!address->prefix.empty()) plan.prefix = std::move(address->prefix);
    return RedisStore::open(plan);
}

Result<DynamoPlan> read_dynamo(const std::string& text, const StoreSettings& settings) {
    auto plan = read_dynamo_address(text);
    if (!plan) return fail(ErrorKind::invalid, "store = {}", plan.error().text);
    plan->policy = settings.dynamodb;
    return plan;
}

std::string scheme_of(const std::string& address) { return address.substr(0, address.find(':')); }

}  // namespace

Result<StoreSettings> read_store_settings(const Config& config, const std::string& state, const ShellPolicy& policy) {
    return StoreSettings{.state = state, .ballast_bytes = policy.ballast_mib << 20, .redis = TRY(read_section<RedisPolicy>(config, "ledger.redis")),
                         .dynamodb = TRY(read_section<DynamoPolicy>(config, "ledger.dynamodb"))};
}

Result<std::unique_ptr<Store>> open_store(const std::string& address, const StoreSettings& settings) {
    const auto scheme = scheme_of(address);
    if (scheme == "sqlite") return open_sqlite(address.substr(std::min(address.size(), scheme.size() + 1)), settings);
    if (scheme == "redis" || scheme == "redis+unix") return open_redis(address, settings);
    if (scheme == "dynamodb") return DynamoStore::open(TRY(read_dynamo(address, settings)));
    return fail(ErrorKind::invalid, "store: there is no kind of store '{}'; it is sqlite:FILE, redis://HOST:PORT/DATABASE, redis+unix:///SOCKET or dynamodb://TABLE", scheme);
}

Result<std::string> init_store(const std::string& address, const StoreSettings& settings) {
    if (scheme_of(address) == "dynamodb") return DynamoStore::init(TRY(read_dynamo(address, settings)));
    TRY(open_store(address, settings));
    return fmt::format("{} is ready: this kind of store is made when it is opened", address);
}

}  // namespace berth::allocator
