// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger.hpp"

#include "base/check.hpp"

namespace berth::allocator {

namespace {
constexpr std::uint32_t facts_per_read = 5'000;
}

Result<View> replay(Ledger& ledger, const std::function<void(Position)>& progress, std::optional<View> known) {
    auto snapshot = known ? std::move(known) : TRY(ledger.load_snapshot());
    View view = snapshot ? std::move(*snapshot) : View{};
    view.reindex();
    while (view.position < ledger.head()) {
        const auto facts = TRY(ledger.read(Position{view.position.value + 1}, facts_per_read));
        if (facts.empty()) {
            return fail(ErrorKind::corrupt, "the ledger ends at {} though its head is {}", view.position.value,
                        ledger.head().value);
        }
        for (const auto& fact : facts) apply(view, fact);
        if (progress) progress(view.position);
    }
    return view;
}

Result<void> append_now(Ledger& ledger, const std::vector<FactRecord>& facts, Position expected) {
    std::optional<Result<void>> outcome;
    ledger.append(facts, expected, [&](Result<void> came) { outcome = std::move(came); });
    check(outcome.has_value(), "a ledger without a loop appends at once");
    return std::move(*outcome);
}

}  // namespace berth::allocator
