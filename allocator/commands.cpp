// SPDX-License-Identifier: Apache-2.0
#include "allocator/commands.hpp"

#include <cstdio>
#include <fstream>
#include <iostream>

#include "allocator/archive.hpp"
#include "allocator/ledger/open.hpp"
#include "allocator/move.hpp"
#include "base/clock.hpp"
#include "base/hash.hpp"
#include "bus/keys.hpp"

namespace berth::allocator {

namespace {

using Number = unsigned long long;

Result<std::unique_ptr<StoredLedger>> open_ledger(const Where& where) {
    return allocator::open_ledger(TRY(Config::load(where.config)), where.state);
}

// A shared store may hold the ledger of somebody else: the broker's key is the same for all of one cluster.
std::string cluster_of(const std::string& state) {
    const auto key = bus::load_broker_key(state + "/keys");
    return key ? "c-" + to_hex(hash_of(*key)) : std::string{};
}

Result<std::unique_ptr<Store>> open_store_of(const Config& config, const std::string& state, const std::string& address = {}) {
    const auto policy = TRY(read_section<ShellPolicy>(config, "ledger"));
    return open_store(address.empty() ? policy.store : address, TRY(read_store_settings(config, state, policy)));
}

}  // namespace

Result<std::unique_ptr<StoredLedger>> open_ledger(const Config& config, const std::string& state, bus::Loop* loop) {
    auto store = TRY(open_store_of(config, state));
    // Who serves refuses a store that lost something; who repairs it does not.
    return StoredLedger::open(std::move(store), {.loop = loop, .cluster = cluster_of(state), .seen_file = state + "/ledger.seen", .serves = loop != nullptr});
}

Result<void> run_export(const Where& where, std::uint64_t from) {
    const auto ledger = TRY(open_ledger(where));
    const auto last = TRY(export_ledger(*ledger, {from}, std::cout));
    std::fprintf(stderr, "exported facts %llu to %llu of ledger %s\n", static_cast<Number>(from), static_cast<Number>(last.value), ledger->id().c_str());
    return {};
}

Result<void> run_import(const Where& where, const std::string& file) {
    std::ifstream from(file);
    if (!from) return fail(ErrorKind::not_found, "no file {}", file);
    const auto ledger = TRY(open_ledger(where));
    const auto last = TRY(import_ledger(*ledger, from));
    std::fprintf(stderr, "imported %llu facts into %s\n", static_cast<Number>(last.value), ledger->id().c_str());
    return {};
}

Result<void> run_verify(const Where& where) {
    const auto ledger = TRY(open_ledger(where));
    const auto head = TRY(ledger->verify());
    const auto view = TRY(replay(*ledger));
    std::printf("ledger %s is whole: %llu facts, state %016llx\n", ledger->id().c_str(), static_cast<Number>(head.value),
                static_cast<Number>(state_hash(view)));
    return {};
}

Result<void> run_recover(const Where& where) {
    const auto ledger = TRY(open_ledger(where));
    const auto before = ledger->id();
    const auto old_head = ledger->head();
    const auto fact = TRY(recover_ledger(*ledger, RealClock{}.now()));
    std::printf("ledger %s (an old copy, up to position %llu) goes on as %s at position %llu\n"
                "next: start the allocator; each host registers again and tells what it holds. See docs/restore.md\n",
                before.c_str(), static_cast<Number>(old_head.value), ledger->id().c_str(), static_cast<Number>(fact.position.value));
    return {};
}

Result<void> run_init(const Where& where, const std::string& store) {
    const auto config = TRY(Config::load(where.config));
    const auto policy = TRY(read_section<ShellPolicy>(config, "ledger"));
    const auto settings = TRY(read_store_settings(config, where.state, policy));
    const auto said = TRY(init_store(store.empty() ? policy.store : store, settings));
    std::printf("%s\n", said.c_str());
    return {};
}

Result<void> run_move(const Where& where, const std::string& from, const std::string& to) {
    const auto config = TRY(Config::load(where.config));
    const auto cluster = cluster_of(where.state);
    auto source_store = TRY(open_store_of(config, where.state, from));
    auto target_store = TRY(open_store_of(config, where.state, to));
    const auto source = TRY(StoredLedger::open(std::move(source_store), {.cluster = cluster}));
    const auto target = TRY(StoredLedger::open(std::move(target_store), {.cluster = cluster}));
    if (source->name() == target->name()) return fail(ErrorKind::invalid, "--from and --to name the same place, {}", source->name());
    const auto moved = TRY(move_ledger(*source, *target, [&](Position at) {
        std::fprintf(stderr, "\rcopied up to position %llu of %llu", static_cast<Number>(at.value), static_cast<Number>(source->head().value));
    }));
    TRY(target->set_moved_to(""));
    TRY(source->set_moved_to(target->name()));
    std::printf("ledger %s is whole in %s: up to position %llu, %llu facts copied now, state %016llx in both\n"
                "next: set `store = \"%s\"` in [ledger], and start the allocator\n",
                target->id().c_str(), target->name().c_str(), static_cast<Number>(moved.head.value), static_cast<Number>(moved.copied),
                static_cast<Number>(moved.state), to.c_str());
    return {};
}

Result<void> run_adopt(const Where& where) {
    const auto config = TRY(Config::load(where.config));
    const auto cluster = cluster_of(where.state);
    if (cluster.empty()) return fail(ErrorKind::not_found, "no key of a broker in {}/keys: it says which cluster this is", where.state);
    auto store = TRY(open_store_of(config, where.state));
    const auto ledger = TRY(StoredLedger::open(std::move(store)));
    TRY(ledger->set_cluster(cluster));
    std::printf("ledger %s in %s is now that of cluster %s\n", ledger->id().c_str(), ledger->name().c_str(), cluster.c_str());
    return {};
}

}  // namespace berth::allocator
