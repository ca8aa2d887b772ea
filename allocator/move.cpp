// SPDX-License-Identifier: Apache-2.0
#include "allocator/move.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "events/codec.hpp"

namespace berth::allocator {

namespace {

constexpr std::uint32_t facts_at_once = 1'000;

struct Whole {
    std::uint64_t count = 0;
    std::uint64_t hash = 0;               // of every fact's bytes, in order
    View view;                            // from nothing, no snapshot
};

Result<Whole> read_whole(Ledger& ledger) {
    TRY(ledger.verify());
    Whole whole;
    while (whole.view.position < ledger.head()) {
        const auto facts = TRY(ledger.read(Position{whole.view.position.value + 1}, facts_at_once));
        if (facts.empty()) return fail(ErrorKind::corrupt, "the ledger {} ends at {} though its head is {}", ledger.id(), whole.view.position.value, ledger.head().value);
        for (const auto& fact : facts) {
            whole.hash = hash_of(encode(fact), whole.hash);
            apply(whole.view, fact);
            ++whole.count;
        }
    }
    return whole;
}

/// What the target holds must be how the source begins; its last fact tells here, and the whole at the end.
Result<void> check_begun(Ledger& from, Ledger& to) {
    if (to.head() > from.head()) {
        return fail(ErrorKind::conflict, "the target holds ledger {} up to position {}, the source ends at {}: it is newer, or another one", to.id(),
                    to.head().value, from.head().value);
    }
    const auto ours = TRY(from.read(to.head(), 1));
    const auto theirs = TRY(to.read(to.head(), 1));
    if (ours != theirs) {
        return fail(ErrorKind::conflict, "the target holds another ledger ({}, up to position {}): choose an empty place", to.id(), to.head().value);
    }
    return {};
}

}  // namespace

Result<void> append_all(Ledger& to, const std::vector<FactRecord>& facts) {
    for (auto at = facts.begin(); at != facts.end();) {   // a row does not reach over a recovery
        const auto recovered = std::find_if(at, facts.end(), [](const auto& fact) { return std::holds_alternative<LedgerRecovered>(fact.fact); });
        while (at != recovered) {
            const auto until = std::distance(at, recovered) > std::ptrdiff_t{facts_at_once} ? at + facts_at_once : recovered;
            TRY(append_now(to, {at, until}, to.head()));
            at = until;
        }
        if (recovered == facts.end()) break;
        TRY(to.go_on_as(*recovered));
        at = std::next(recovered);
    }
    return {};
}

Result<Moved> move_ledger(Ledger& from, Ledger& to, const std::function<void(Position)>& progress) {
    if (from.head() == Position{}) return fail(ErrorKind::invalid, "the ledger {} holds no facts; there is nothing to move", from.id());
    if (to.head() == Position{}) {
        TRY(to.adopt_id(from.id()));
    } else {
        TRY(check_begun(from, to));
    }
    Moved moved;
    while (to.head() < from.head()) {
        const auto facts = TRY(from.read(Position{to.head().value + 1}, facts_at_once));
        if (facts.empty()) return fail(ErrorKind::corrupt, "the source ends at {} though its head is {}", to.head().value, from.head().value);
        TRY(append_all(to, facts));
        moved.copied += facts.size();
        if (progress) progress(to.head());
    }
    const auto before = TRY(read_whole(from));
    const auto after = TRY(read_whole(to));
    const auto state = state_hash(before.view);
    if (before.count != after.count || before.hash != after.hash || state != state_hash(after.view) || from.id() != to.id()) {
        return fail(ErrorKind::corrupt, "source and target differ though all was copied (facts {} and {}, state {:016x} and {:016x}): keep to the source, "
                    "and move into an empty place", before.count, after.count, state, state_hash(after.view));
    }
    if (const auto still = append_now(from, {}, from.head()); !still) {
        return fail(ErrorKind::conflict, "the source was written meanwhile, at the end {}: end its allocator and move again; it goes on from here",
                    still.error().text);
    }
    TRY(to.save_snapshot(after.view));
    return Moved{to.head(), moved.copied, state};
}

}  // namespace berth::allocator
