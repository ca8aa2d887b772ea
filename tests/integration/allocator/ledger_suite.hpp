// SPDX-License-Identifier: Apache-2.0
// What every ledger has to do, whatever it lies on: one suite (ledger_suite.cpp) that runs at each place that a test
// program names by INSTANTIATE_TEST_SUITE_P(…, LedgerSuite, …).
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "allocator/ledger/stored.hpp"

namespace berth::allocator {

/// A place where one ledger lies, empty at first; and what a hostile or broken world does to it there.
class LedgerPlace {
public:
    virtual ~LedgerPlace() = default;
    virtual Result<std::unique_ptr<Ledger>> open() = 0;
    /// Of so many rows only the first are written; then it fails as a crash would.
    virtual Result<void> append_torn(const std::vector<FactRecord>& facts, Position expected, std::size_t rows) = 0;
    /// The row's records are others; its checksum is what it was.
    virtual void damage_row(Position first) = 0;
    virtual void take_row_away(Position first) = 0;
    /// The row's records and checksum are those of another. False: this place has no chain that could tell.
    virtual bool rewrite_row(Position first, Position as) = 0;
};

/// One on a store.
class StorePlace : public LedgerPlace {
public:
    virtual Result<std::unique_ptr<Store>> open_store() = 0;
    Result<std::unique_ptr<Ledger>> open() override;
    Result<void> append_torn(const std::vector<FactRecord>& facts, Position expected, std::size_t rows) override;
};

struct PlaceMaker {
    std::string name;
    std::function<std::unique_ptr<LedgerPlace>()> make;
};

class LedgerSuite : public ::testing::TestWithParam<PlaceMaker> {
protected:
    std::unique_ptr<LedgerPlace> place_ = GetParam().make();
    /// Throws when it does not open.
    std::unique_ptr<Ledger> open();
};

inline FactRecord fact_at(std::uint64_t position, const std::string& pool = "p") {
    return {{position}, {1}, Instant{Duration{1'000 + static_cast<std::int64_t>(position)}},
            PoolDefined{.pool = {fmt::format("{}{}", pool, position)}}, Reason{"a test", "test", "1"}, "m1"};
}
inline std::vector<FactRecord> facts_at(std::uint64_t first, std::uint64_t last) {
    std::vector<FactRecord> made;
    for (auto at = first; at <= last; ++at) made.push_back(fact_at(at));
    return made;
}

inline std::string name_of_place(const ::testing::TestParamInfo<PlaceMaker>& place) { return place.param.name; }

}  // namespace berth::allocator
