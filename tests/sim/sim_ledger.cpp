// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_ledger.hpp"

#include <fmt/format.h>

#include <algorithm>

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

std::string SimDisk::id() const {
    const auto view = replay();
    return view.ledger.empty() ? "L" : view.ledger;
}

// ---- SimLedger

SimLedger::SimLedger(SimDisk& disk, SimLoop& loop, std::function<bool()> dies, std::function<void()> crash)
    : disk_(disk), loop_(loop), dies_(std::move(dies)), crash_(std::move(crash)), id_(disk.id()), head_(disk.head()) {}

void SimLedger::append(const std::vector<FactRecord>& facts, Position expected, std::function<void(Result<void>)> done) {
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

Result<std::vector<FactRecord>> SimLedger::read(Position from, std::uint32_t limit) {
    std::vector<FactRecord> facts;
    // Positions may jump (LedgerRecovered), never go back: the fact at `from` has at most from - 1 before it.
    std::size_t first = std::min<std::size_t>(disk_.size(), from.value == 0 ? 0 : from.value - 1);
    while (first > 0 && disk_.at(first - 1).position >= from) --first;
    for (auto index = first; index < disk_.size() && facts.size() < limit; ++index) {
        auto fact = disk_.at(index);
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

}  // namespace berth::sim
