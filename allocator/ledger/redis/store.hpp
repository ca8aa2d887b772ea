// SPDX-License-Identifier: Apache-2.0
// The ledger on a Redis server: a stream whose entries' ids are their last positions. One script appends, and
// looks inside at where the ledger ends: that is the fence (I4).
//
//   {prefix}:meta        hash   format, id, cluster, indexed, head
//   {prefix}:log         stream <last>-0 → first, records, crc, chain, writer
//   {prefix}:snapshots   hash   position → crc, view
//   {prefix}:about:<…>   sorted set of positions
//
// What Redis does not promise: after a failover to a replica that lacks the tail the store is an old copy of the
// ledger. It is noticed, never obeyed (docs/restore.md).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "allocator/ledger/redis/audit.hpp"
#include "allocator/ledger/redis/policy.hpp"
#include "allocator/ledger/store.hpp"
#include "redis/connection.hpp"

namespace berth::allocator {

struct RedisPlan {
    redis::Place place;
    std::string prefix = "berth";
    RedisPolicy policy;
};

class RedisStore final : public Store {
public:
    static Result<std::unique_ptr<Store>> open(const RedisPlan& plan);

    const std::string& name() const override { return plan_.place.name; }
    StoreKind kind() const override { return StoreKind::shared; }
    std::size_t row_bytes_max() const override { return 32ULL << 20; }

    Result<std::string> value(const std::string& key) override;
    Result<void> set_value(const std::string& key, const std::string& value) override;
    Result<std::string> first_value(const std::string& key, const std::string& value) override;

    Result<std::optional<Tail>> tail() override;
    Result<void> put(const Row& row, Position expected, const std::string& new_id) override;
    Result<void> confirm(Position expected) override;
    Result<std::vector<Row>> rows(Position from, std::uint32_t limit) override;

    Result<void> put_snapshot(const StoredSnapshot& snapshot) override;
    Result<std::vector<StoredSnapshot>> snapshots() override;
    Result<void> index(const std::vector<Subject>& subjects, Position upto) override;
    Result<std::vector<Position>> about(const std::string& subject, Position from, std::uint32_t limit) override;
    Result<Storage> tidy() override;

private:
    using Steady = std::chrono::steady_clock;
    explicit RedisStore(RedisPlan plan) : plan_(std::move(plan)) {}

    std::string key(std::string_view what) const { return "{" + plan_.prefix + "}:" + std::string{what}; }
    Result<void> connect();
    Result<RedisFacts> audit();
    Result<redis::Reply> ask(const redis::Words& words);
    /// Until it is answered, for give_up at most; `lost` is told of each try of which nobody knows whether it was done.
    Result<redis::Reply> insist(const std::function<Result<redis::Reply>()>& once, const std::function<void()>& lost = {});
    Result<redis::Reply> run_append(const Row& row, Position expected, const std::string& new_id);
    Result<bool> is_ours(const Row& row);
    Result<void> wait_for_replicas(bool settled);
    tl::unexpected<Error> moved(Position expected, const std::string& head) const;
    tl::unexpected<Error> gone() const;

    RedisPlan plan_;
    std::unique_ptr<redis::Connection> connection_;
    std::string script_;                  // its hash on this server
};

}  // namespace berth::allocator
