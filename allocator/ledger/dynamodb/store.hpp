// SPDX-License-Identifier: Apache-2.0
// The ledger in a DynamoDB table. A row is one item, put only when there is none of its key; its key is the position
// after the row before, so that of two who write after the same row one finds it there: that is the fence (I4),
// and no transaction is needed.
//
//   part (S)                 at (N)          attributes
//   <prefix>log              expected + 1    first, last, records, crc, chain, writer, new_id
//   <prefix>value#<key>      0               value
//   <prefix>snapshot         position        crc, parts, whole
//   <prefix>snapshot#<pos>   0, 1, …         view, in pieces
//   <prefix>about#<subject>  position
//
// All reads are consistent ones. A try whose answer was lost is tried again, and finds its own item. All rows are one
// partition of Amazon's: it takes 1 MB a second.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "allocator/ledger/dynamodb/policy.hpp"
#include "allocator/ledger/store.hpp"
#include "aws/chain.hpp"
#include "aws/json.hpp"
#include "base/clock.hpp"

namespace berth::allocator {

struct DynamoPlan {
    std::string table = "berth-ledger";
    std::string prefix;                   // tells the ledgers in one table apart
    DynamoPolicy policy;
};
/// "dynamodb://TABLE?prefix=NAME"; "dynamodb" alone names the usual table.
Result<DynamoPlan> read_dynamo_address(const std::string& text);

class DynamoStore final : public Store {
public:
    static Result<std::unique_ptr<Store>> open(const DynamoPlan& plan);
    /// Makes the table, billed per request, with point-in-time recovery where that can be had; one that is there and
    /// fits is left as it is. Says what it did.
    static Result<std::string> init(const DynamoPlan& plan);

    const std::string& name() const override { return name_; }
    StoreKind kind() const override { return StoreKind::shared; }
    std::size_t row_bytes_max() const override { return 350'000; }             // an item has 400 KB at most
    std::uint32_t facts_indexed_at_once() const override { return 20; }

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
    using Json = nlohmann::json;
    explicit DynamoStore(DynamoPlan plan);
    Result<void> connect();
    Error error_of(const aws::Fault& fault) const;
    Result<Json> call(const std::string& action, const Json& body);
    Result<Json> get(const std::string& part, std::uint64_t at);               // null: none
    Result<void> put_item(const Json& item);
    /// False: there is one of this key.
    Result<bool> put_new(const Json& item);
    Result<void> write_batch(Json wanted);
    Result<void> remove_snapshot(const Json& head);
    /// Items of a part in order.
    Result<std::vector<Json>> query(const std::string& part, const std::string& condition, std::uint64_t at, bool forward, std::uint32_t limit);
    Result<std::string> check_table();
    Json key(const std::string& part, std::uint64_t at) const;

    DynamoPlan plan_;
    std::string name_;
    RealClock clock_;
    aws::Chain chain_;
    std::unique_ptr<aws::JsonClient> client_;
    std::optional<Tail> known_;           // this much was there
    std::uint64_t known_at_ = 0;          // and this is its key
    std::optional<Tail> looked_at_;       // the row that has to be there still
    std::uint64_t looked_at_key_ = 0;
};

}  // namespace berth::allocator
