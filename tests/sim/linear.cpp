// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/linear.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <vector>

namespace berth::sim {

namespace {

constexpr Instant never{Duration{std::numeric_limits<std::int64_t>::max()}};

// What an extension begins, it begins later.
bool is_certain(const Call& call) { return call.end == CallEnd::ok && call.kind != CallKind::extend; }
Instant end_of(const Call& call) { return is_certain(call) ? call.ended_at : never; }

bool matters(const Call& call) {
    switch (call.kind) {
        case CallKind::claim: return true;
        case CallKind::release:
        case CallKind::destroy: return call.end != CallEnd::refused;
        case CallKind::extend: return call.end != CallEnd::refused;    // of a stopped one it is a claim
        case CallKind::link: return call.end == CallEnd::ok;
        case CallKind::hold:
        case CallKind::outcome: return false;
    }
    return false;
}

std::string describe(const Call& call) {
    return fmt::format("{} {} {} {}..{} epoch {} count {} ({})", call.client, to_string(call.kind), call.workspace,
                       to_rfc3339(call.began_at), is_certain(call) ? to_rfc3339(call.ended_at) : "?", call.epoch, call.count,
                       call.key);
}

class Search {
public:
    /// `calls` in the order in which they began.
    explicit Search(std::vector<Call> calls) : calls_(std::move(calls)), done_(calls_.size(), false) {}
    std::uint64_t searched() const { return seen_.size(); }
    LinearVerdict run() {
        const bool found = descend({});
        if (seen_.size() >= linear_states_max) return LinearVerdict::too_large;
        return found ? LinearVerdict::linear : LinearVerdict::broken;
    }

private:
    bool descend(const LeaseSeen& lease) {
        if (seen_.size() >= linear_states_max || !seen_.emplace(done_, lease).second) return false;
        // Whoever began before the first end among those left may be the next.
        auto first_end = never;
        bool left = false;
        for (std::size_t i = 0; i < calls_.size(); ++i) {
            if (done_[i]) continue;
            first_end = std::min(first_end, end_of(calls_[i]));
            left = left || is_certain(calls_[i]);
        }
        if (!left) return true;           // those of unknown outcome never took effect
        for (std::size_t i = 0; i < calls_.size() && calls_[i].began_at <= first_end; ++i) {
            if (done_[i]) continue;
            auto next = lease;
            if (!apply_call(next, calls_[i])) continue;
            if (next == lease && !is_certain(calls_[i])) continue;     // as if it never took effect
            done_[i] = true;
            if (descend(next)) return true;
            done_[i] = false;
        }
        return false;
    }

    std::vector<Call> calls_;
    std::vector<bool> done_;
    std::set<std::pair<std::vector<bool>, LeaseSeen>> seen_;
};

// One call per key: the first that was answered, from the first time the key was used.
void merge_repeats(std::vector<Call>& calls) {
    std::map<std::string, Call> by_key;
    std::vector<Call> others;
    for (const auto& call : calls) {
        if (call.kind != CallKind::claim) {
            others.push_back(call);
            continue;
        }
        const auto [at, fresh] = by_key.emplace(call.client + "/" + call.key, call);
        if (fresh) continue;
        auto& kept = at->second;
        const auto began = std::min(kept.began_at, call.began_at);
        const bool better = call.end == CallEnd::ok && (kept.end != CallEnd::ok || call.ended_at < kept.ended_at);
        if (better) kept = call;
        kept.began_at = began;
    }
    for (auto& [key, call] : by_key) others.push_back(std::move(call));
    calls = std::move(others);
}

}  // namespace

bool apply_call(LeaseSeen& lease, const Call& call) {
    const bool same = lease.workspace == call.workspace && !lease.destroyed;
    const bool other = lease.workspace.empty() || lease.destroyed;
    // It named a workspace by its id, which is not the one that is seen here: it says nothing of this.
    const bool names = call.kind == CallKind::release || call.kind == CallKind::destroy || call.kind == CallKind::extend;
    if (names && !call.workspace.empty() && call.workspace != lease.workspace) return true;
    switch (call.kind) {
        case CallKind::claim:
            if (!is_certain(call)) {
                lease.maybe_new = true;
                return true;
            }
            if (!other && !same) return false;
            if (same && (call.epoch < lease.epoch || (call.epoch == lease.epoch && lease.ended))) return false;
            lease = {call.workspace, call.epoch, false, false, same && call.epoch == lease.epoch && lease.maybe_new};
            return true;
        case CallKind::link:
            if (same && call.epoch == lease.epoch && !lease.ended) return true;
            if (!lease.maybe_new || (!other && !same) || (same && call.epoch <= lease.epoch)) return false;
            lease = {call.workspace, call.epoch, false, false, true};
            return true;
        case CallKind::release:
            if (is_certain(call) && call.count > 0 && lease.ended && !lease.maybe_new) return false;
            lease.ended = true;
            lease.maybe_new = false;
            return true;
        case CallKind::destroy:
            lease = {lease.workspace, lease.epoch, true, true, false};
            return true;
        case CallKind::extend:
            if (!is_certain(call) || call.count > 0) lease.maybe_new = true;
            return true;
        case CallKind::hold:
        case CallKind::outcome: return true;
    }
    return true;
}

LinearOutcome check_linear(const History& history) {
    LinearOutcome outcome;
    std::map<std::string, std::vector<Call>> owners;
    for (const auto& call : history) {
        if (matters(call)) owners[call.client + "/" + call.project].push_back(call);
    }
    for (auto& [owner, calls] : owners) {
        merge_repeats(calls);
        std::stable_sort(calls.begin(), calls.end(), [](const Call& a, const Call& b) { return a.began_at < b.began_at; });
        outcome.calls += calls.size();
        Search search(calls);
        const auto verdict = search.run();
        outcome.searched += search.searched();
        if (verdict == LinearVerdict::linear) continue;
        if (outcome.verdict == LinearVerdict::broken) continue;
        outcome.verdict = verdict;
        outcome.text = fmt::format("the {} calls of {} have no order in which all answers are true", calls.size(), owner);
        for (const auto& call : calls) outcome.text += "\n    " + describe(call);
    }
    return outcome;
}

}  // namespace berth::sim
