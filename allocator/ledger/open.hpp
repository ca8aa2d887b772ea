// SPDX-License-Identifier: Apache-2.0
// Which store: [ledger] store, as one line.
//
//   sqlite:ledger.sqlite          a file, below the state folder unless it begins with /
//   redis://host:6379/0           redis+unix:///run/redis/redis.sock; ?prefix=berth tells two ledgers apart
//   dynamodb://table              made beforehand, by init_store() or a stack; ?prefix= as above
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "allocator/ledger/dynamodb/policy.hpp"
#include "allocator/ledger/redis/policy.hpp"
#include "allocator/ledger/store.hpp"
#include "allocator/shell_policy.hpp"
#include "base/config.hpp"

namespace berth::allocator {

/// What the kinds of stores need beside their address, read from the configuration.
struct StoreSettings {
    std::string state;                    // the state folder
    std::uint64_t ballast_bytes = 0;
    RedisPolicy redis;
    DynamoPolicy dynamodb;
};
Result<StoreSettings> read_store_settings(const Config& config, const std::string& state, const ShellPolicy& policy);

/// invalid, not_found, unavailable, denied, conflict, corrupt: one line that says what to do.
Result<std::unique_ptr<Store>> open_store(const std::string& address, const StoreSettings& settings);
/// Makes what a store needs before it is opened for the first time, and leaves what is there. Says what it did.
Result<std::string> init_store(const std::string& address, const StoreSettings& settings);

}  // namespace berth::allocator
