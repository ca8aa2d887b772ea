// SPDX-License-Identifier: Apache-2.0
#include "gateway/tape.hpp"

#include <algorithm>

namespace berth::gateway {

namespace {

Stretch* latest_of(Tape& tape, const std::string& signal, bool known) {
    const auto found = std::find_if(tape.rbegin(), tape.rend(), [&](const Stretch& one) { return one.signal == signal && one.known == known; });
    return found == tape.rend() ? nullptr : &*found;
}

void join_closest(Tape& tape) {
    auto first = tape.end(), second = tape.end();
    auto least = Duration::max();
    for (auto one = tape.begin(); one != tape.end(); ++one) {
        const auto next = std::find_if(one + 1, tape.end(), [&](const Stretch& other) { return other.signal == one->signal && other.known == one->known; });
        if (next == tape.end() || next->from - one->to >= least) continue;
        least = next->from - one->to;
        first = one;
        second = next;
    }
    if (second == tape.end()) {           // no two are of one signal
        tape.erase(tape.begin());
        return;
    }
    first->to = std::max(first->to, second->to);
    tape.erase(second);
}

}  // namespace

void add_to_tape(Tape& tape, const UseSeen& seen) {
    const auto apart = seen.received_at - seen.read_at;      // our clock and the host's, and the way
    for (const auto& signal : seen.signals) {
        const bool known = signal.last_at.has_value();
        const auto at = known ? *signal.last_at + apart : seen.received_at;
        auto* before = latest_of(tape, signal.name, known);
        if (before != nullptr && at <= before->to) continue;
        if (before != nullptr && at - before->to <= tape_gap) before->to = at;
        else tape.push_back({signal.name, known, at, at});
    }
    std::erase_if(tape, [&](const Stretch& one) { return one.to + tape_length < seen.received_at; });
    std::stable_sort(tape.begin(), tape.end(), [](const Stretch& a, const Stretch& b) { return a.from < b.from; });
    while (tape.size() > tape_stretches_max) join_closest(tape);
}

}  // namespace berth::gateway
