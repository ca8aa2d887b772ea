// SPDX-License-Identifier: Apache-2.0
// What `berth-allocator` does beside serving: with the ledger of [ledger] store, whichever that is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "allocator/ledger/stored.hpp"
#include "base/config.hpp"
#include "base/result.hpp"
#include "bus/loop.hpp"

namespace berth::allocator {

/// Where commands and the server find their ledger.
struct Where {
    std::string config;                   // a file; empty: defaults
    std::string state;
};
/// `loop` as in StoredLedger::open.
Result<std::unique_ptr<StoredLedger>> open_ledger(const Config& config, const std::string& state, bus::Loop* loop = nullptr);

/// Each prints one line of what it did.
Result<void> run_export(const Where& where, std::uint64_t from);
Result<void> run_import(const Where& where, const std::string& file);
Result<void> run_verify(const Where& where);
Result<void> run_recover(const Where& where);
/// Makes the table that a ledger in DynamoDB needs. Empty: that of [ledger] store.
Result<void> run_init(const Where& where, const std::string& store);
/// Addresses as in [ledger] store.
Result<void> run_move(const Where& where, const std::string& from, const std::string& to);
/// The store's ledger becomes this cluster's.
Result<void> run_adopt(const Where& where);

}  // namespace berth::allocator
