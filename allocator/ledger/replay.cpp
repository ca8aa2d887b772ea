// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger.hpp"

namespace berth::allocator {

namespace {
constexpr std::uint32_t facts_per_read = 5'000;
}

Result<View> replay(Ledger& ledger, const std::function<void(Position)>& progress) {
    auto snapshot = TRY(ledger.load_snapshot());
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

}  // namespace berth::allocator
