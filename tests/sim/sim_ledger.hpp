// SPDX-License-Identifier: Apache-2.0
// Twin of the ledger's store. The expected position is the fence: of two allocators only one can
// write position n (I4). What was appended survives every process; a torn append leaves a prefix, a slow one
// is done while the process goes on. SimDisk is what lasts, SimLedger one allocator's hold of it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "allocator/ledger.hpp"
#include "tests/sim/sim_loop.hpp"

namespace berth::sim {

class SimDisk {
public:
    bool full = false;
    std::function<void()> on_append;      // the rules look at once, before anything follows from it

    Result<void> append(Position expected, const std::vector<FactRecord>& facts);
    std::size_t size() const { return rows_.size(); }
    FactRecord at(std::size_t index) const { return decode<FactRecord>(rows_.at(index)).value(); }
    const std::vector<Bytes>& rows() const { return rows_; }
    View replay() const;
    /// An old copy is put back: everything after its first `length` facts is forgotten.
    void restore(std::size_t length);
    /// An empty one gets the id of the ledger that it will be a copy of.
    Result<void> adopt_id(const std::string& id);
    Result<void> go_on_as(const FactRecord& fact);
    /// What a hostile or broken world does.
    void damage(std::size_t index) { rows_.at(index) = Bytes("\x90"); }
    void take_away(std::size_t index) { rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(index)); }
    /// What `berth-allocator recover` writes.
    void recover(Position at, Instant now);
    Position head() const { return head_; }
    std::string id() const;

    std::optional<Bytes> snapshot;        // of a view; encoded, as on disk

private:
    std::vector<Bytes> rows_;             // encoded, as on disk
    Position head_;
    std::string adopted_ = "L";
};

class SimLedger final : public allocator::Ledger {
public:
    /// `dies` is asked before each write.
    SimLedger(SimDisk& disk, SimLoop& loop, std::function<bool()> dies, std::function<void()> crash);

    const std::string& id() const override { return id_; }
    Position head() const override { return head_; }
    bool exclusive() const override { return false; }
    void append(const std::vector<FactRecord>& facts, Position expected, std::function<void(Result<void>)> done) override;
    Result<std::vector<FactRecord>> read(Position from, std::uint32_t limit) override;
    Result<std::vector<FactRecord>> read_about(const std::string& subject, Position from, std::uint32_t limit) override;
    Result<void> save_snapshot(const View& view) override;
    Result<std::optional<View>> load_snapshot() override;
    Result<allocator::Storage> tidy() override { return allocator::Storage::ample; }
    Result<Position> verify() override;
    Result<void> adopt_id(const std::string& id) override;
    Result<void> go_on_as(const FactRecord& fact) override;

private:
    Result<void> confirm(Position expected);
    Result<FactRecord> fact_at(std::size_t index) const;
    Result<void> write(const std::vector<FactRecord>& facts, Position expected);

    SimDisk& disk_;
    SimLoop& loop_;
    std::function<bool()> dies_;
    std::function<void()> crash_;
    std::string id_;
    Position head_;
};

}  // namespace berth::sim
