// SPDX-License-Identifier: Apache-2.0
// Twin of the ledger's store. The expected position is the fence: of two allocators only one can
// write position n (I4). What was appended survives every process; a torn append leaves a prefix.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <vector>

#include "events/codec.hpp"
#include "events/ledger.hpp"
#include "events/view.hpp"

namespace berth::sim {

class SimLedger {
public:
    bool full = false;
    std::function<void()> on_append;      // the rules look at once, before anything follows from it

    Result<void> append(Position expected, const std::vector<FactRecord>& facts) {
        if (expected != head_) {
            return fail(ErrorKind::fenced, "position {} is taken; the ledger ends at {}", expected.value + 1, head_.value);
        }
        if (full) return fail(ErrorKind::unavailable, "no space left on device");
        for (const auto& fact : facts) rows_.push_back(encode(fact));
        if (!facts.empty()) head_ = facts.back().position;
        if (on_append) on_append();
        return {};
    }
    std::size_t size() const { return rows_.size(); }
    FactRecord at(std::size_t index) const { return decode<FactRecord>(rows_.at(index)).value(); }
    const std::vector<Bytes>& rows() const { return rows_; }
    View replay() const {
        View view;
        for (std::size_t index = 0; index < size(); ++index) apply(view, at(index));
        return view;
    }
    /// An old copy is put back: everything after its first `length` facts is forgotten.
    void restore(std::size_t length) {
        rows_.resize(length);
        head_ = rows_.empty() ? Position{} : at(rows_.size() - 1).position;
    }
    /// What `berth-allocator recover` writes.
    void recover(Position at, Instant now) {
        const auto view = replay();
        rows_.push_back(encode(FactRecord{at, view.term, now, LedgerRecovered{view.ledger, fmt::format("{}R", view.ledger)},
                                          Reason{"an operator said that this is an old copy", "operator", "recover", {}}, ""}));
        head_ = at;
        if (on_append) on_append();
    }
    Position head() const { return head_; }

private:
    std::vector<Bytes> rows_;             // encoded, as on disk
    Position head_;
};

}  // namespace berth::sim
