// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_ledger.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "events/codec.hpp"

namespace berth::sim {

namespace {

constexpr Duration disk_least{20};
constexpr Duration disk_most{3'000};

}  // namespace

// ---- SimDisk

Result<void> SimDisk::append(Position expected, const std::vector<FactRecord>& facts) {
    if (expected != head_) {
        return fail(ErrorKind::fenced, "position {} is taken; the ledger ends at {}", expected.value + 1, head_.value);
    }
    if (full) return fail(ErrorKind::unavailable, "no space left on device");
    for (const auto& fact : facts) rows_.push_back(encode(fact));
    if (!facts.empty()) head_ = facts.back().position;
    if (on_append) on_append();
    return {};
}

View SimDisk::replay() const {
    View view;
    for (std::size_t index = 0; index < size(); ++index) apply(view, at(index));
    return view;
}

void SimDisk::restore(std::size_t length) {
    rows_.resize(length);
    head_ = rows_.empty() ? Position{} : at(rows_.size() - 1).position;
    snapshot.reset();
}

void SimDisk::recover(Position at, Instant now) {
    const auto view = replay();
    rows_.push_back(encode(FactRecord{at, view.term, now, LedgerRecovered{view.ledger, fmt::format("{}R", view.ledger)},
                                      Reason{"an operator said that this is an old copy", "operator", "recover", {}}, ""}));
    head_ = at;
    if (on_append) on_append();
}

Result<void> SimDisk::adopt_id(const std::string& id) {
    if (head_ != Position{}) return fail(ErrorKind::conflict, "the ledger holds {} facts already", head_.value);
    adopted_ = id;
    return {};
}

Result<void> SimDisk::go_on_as(const FactRecord& fact) {
    check(std::holds_alternative<LedgerRecovered>(fact.fact) && fact.position > head_, "a recovered ledger goes on at a later position");
    rows_.push_back(encode(fact));
    head_ = fact.position;
    return {};
}

std::string SimDisk::id() const {
    for (auto index = rows_.size(); index-- > 0;) {
        const auto fact = decode<FactRecord>(rows_[index], trusted_limits);
        if (!fact) continue;
        if (const auto* recovered = std::get_if<LedgerRecovered>(&fact->fact)) return recovered->ledger;
        if (const auto* took_over = std::get_if<TookOver>(&fact->fact)) return took_over->ledger;
    }
    return adopted_;
}

// ---- SimLedger

SimLedger::SimLedger(SimDisk& disk, SimLoop& loop, std::function<bool()> dies, std::function<void()> crash)
    : disk_(disk), loop_(loop), dies_(std::move(dies)), crash_(std::move(crash)), id_(disk.id()), head_(disk.head()) {}

void SimLedger::append(const std::vector<FactRecord>& facts, Position expected, std::function<void(Result<void>)> done) {
    if (facts.empty()) return done(confirm(expected));
    if (dies_()) return;
    auto& world = loop_.world();
    if (!world.strikes(world.faults.disk_slow, "disk_slow")) {
        const auto outcome = write(facts, expected);
        if (!loop_.over()) done(outcome);
        return;
    }
    world.after(loop_.process(), world.pick(disk_least, disk_most), [this, loop = loop_, facts, expected, done = std::move(done)]() mutable {
        if (loop.over()) return;          // it was killed before the disk had it
        loop.deliver([this, facts, expected, done] {
            const auto outcome = write(facts, expected);
            if (!loop_.over()) done(outcome);
        });
    });
}

Result<void> SimLedger::confirm(Position expected) {
    if (disk_.head() == expected) return {};
    loop_.world().mark("fenced without a fact");
    return fail(ErrorKind::fenced, "the ledger ends at {}, no more at {}", disk_.head().value, expected.value);
}

Result<void> SimLedger::write(const std::vector<FactRecord>& facts, Position expected) {
    auto& world = loop_.world();
    if (world.strikes(world.faults.torn_append, "torn_append", loop_.process())) {
        const std::vector<FactRecord> kept(facts.begin(), facts.begin() + static_cast<std::ptrdiff_t>(world.pick(facts.size() + 1)));
        if (!kept.empty()) (void)disk_.append(expected, kept);
        crash_();
        return {};
    }
    TRY(disk_.append(expected, facts));
    head_ = disk_.head();
    return {};
}

Result<FactRecord> SimLedger::fact_at(std::size_t index) const {
    auto fact = decode<FactRecord>(disk_.rows().at(index), trusted_limits);
    if (!fact) return fail(ErrorKind::corrupt, "the ledger is damaged at position {}: {}", index + 1, fact.error().text);
    return fact;
}

Result<std::vector<FactRecord>> SimLedger::read(Position from, std::uint32_t limit) {
    std::vector<FactRecord> facts;
    // Positions may jump (LedgerRecovered), never go back: the fact at `from` has at most from - 1 before it.
    std::size_t first = std::min<std::size_t>(disk_.size(), from.value == 0 ? 0 : from.value - 1);
    while (first > 0 && TRY(fact_at(first - 1)).position >= from) --first;
    for (auto index = first; index < disk_.size() && facts.size() < limit; ++index) {
        auto fact = TRY(fact_at(index));
        if (fact.position >= from) facts.push_back(std::move(fact));
    }
    return facts;
}

Result<std::vector<FactRecord>> SimLedger::read_about(const std::string& subject, Position from, std::uint32_t limit) {
    std::vector<FactRecord> facts;
    for (auto& fact : TRY(read(from, ~std::uint32_t{0}))) {
        const auto subjects = subjects_of(fact.fact);
        if (std::find(subjects.begin(), subjects.end(), subject) != subjects.end() && facts.size() < limit) facts.push_back(std::move(fact));
    }
    return facts;
}

Result<void> SimLedger::save_snapshot(const View& view) {
    check(view.position == head_, "a snapshot is of what is durable");
    if (!dies_()) disk_.snapshot = encode(view);
    return {};
}

Result<std::optional<View>> SimLedger::load_snapshot() {
    if (!disk_.snapshot) return std::nullopt;
    return TRY(decode<View>(*disk_.snapshot, trusted_limits));
}

Result<Position> SimLedger::verify() {
    Position at;
    for (std::size_t index = 0; index < disk_.size(); ++index) {
        const auto fact = TRY(fact_at(index));
        const bool jumps = std::holds_alternative<LedgerRecovered>(fact.fact) && fact.position > at;
        if (!jumps && fact.position.value != at.value + 1) {
            return fail(ErrorKind::corrupt, "the ledger was changed after position {}: facts are missing", at.value);
        }
        at = fact.position;
    }
    return at;
}

Result<void> SimLedger::adopt_id(const std::string& id) {
    TRY(disk_.adopt_id(id));
    id_ = id;
    return {};
}

Result<void> SimLedger::go_on_as(const FactRecord& fact) {
    TRY(disk_.go_on_as(fact));
    head_ = disk_.head();
    id_ = disk_.id();
    return {};
}

}  // namespace berth::sim
