// SPDX-License-Identifier: Apache-2.0
// The twin of the ledger's store passes what every ledger passes: else the simulated world would prove something else.
#include "tests/integration/allocator/ledger_suite.hpp"
#include "tests/sim/sim_ledger.hpp"

namespace berth::sim {
namespace {

class SimPlace final : public allocator::LedgerPlace {
public:
    Result<std::unique_ptr<allocator::Ledger>> open() override {
        return std::make_unique<SimLedger>(disk_, loop_, [] { return false; }, [] {});
    }
    Result<void> append_torn(const std::vector<FactRecord>& facts, Position expected, std::size_t rows) override {
        TRY(disk_.append(expected, {facts.begin(), facts.begin() + static_cast<std::ptrdiff_t>(rows)}));
        return fail(ErrorKind::unavailable, "it crashed there");
    }
    void damage_row(Position first) override { disk_.damage(first.value - 1); }
    void take_row_away(Position first) override { disk_.take_away(first.value - 1); }
    bool rewrite_row(Position, Position) override { return false; }

private:
    World world_{1, Faults{}};
    SimLoop loop_{world_, "allocator", "allocator"};
    SimDisk disk_;
};

}  // namespace
}  // namespace berth::sim

namespace berth::allocator {
INSTANTIATE_TEST_SUITE_P(Simulated, LedgerSuite, ::testing::Values(PlaceMaker{"disk", [] { return std::make_unique<sim::SimPlace>(); }}), name_of_place);
}  // namespace berth::allocator
