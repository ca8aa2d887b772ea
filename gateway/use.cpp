// SPDX-License-Identifier: Apache-2.0
#include "gateway/use.hpp"

#include <algorithm>

namespace berth::gateway {

namespace {

std::string words_of(const Signal& signal) {
    if (signal.name == "hold") return "held by its user";
    if (signal.name == "proxy") return "a request to one of its programs";
    if (signal.name == "editor") return signal.last_at ? "its own word" : "it does not answer";
    if (signal.name == "presence") return signal.text.value_or(signal.last_at ? "nobody was at the editor" : "what its editor notes can not be read");
    if (signal.name == "cpu") return signal.text ? "it used " + *signal.text : signal.last_at ? "it began" : "what it uses can not be read";
    return signal.text.value_or(signal.name);
}

}  // namespace

std::optional<UseView> use_of(const View& view, const WorkspaceView& workspace, const std::map<WorkspaceId, UseSeen>& uses) {
    const auto found = uses.find(workspace.workspace);
    if (workspace.state != WorkspaceState::active || found == uses.end() || found->second.epoch != workspace.epoch) return std::nullopt;
    const auto& seen = found->second;
    const auto pool = view.pools.find(workspace.pool);
    const auto policy = pool == view.pools.end() ? PoolDefined{} : pool->second;
    const auto signals = counted(seen.signals, policy.jobs_rule());
    // What is not known comes before all; of two at the same time, a job says more than its CPU.
    const auto weight = [](const Signal& one) { return std::pair{one.last_at.value_or(Instant::max()), one.since.has_value()}; };
    const auto holder = std::max_element(signals.begin(), signals.end(), [&](const Signal& a, const Signal& b) { return weight(a) < weight(b); });
    if (holder == signals.end()) return std::nullopt;
    const auto ours = [&](Instant theirs) { return seen.received_at - std::max(Duration{0}, seen.read_at - theirs); };
    UseView use{.holds = holder->name, .known = holder->last_at.has_value(), .text = words_of(*holder), .read_at = seen.received_at};
    if (holder->last_at) use.last_at = ours(*holder->last_at);
    if (holder->since && *holder->last_at >= seen.read_at) use.since = ours(*holder->since);   // it runs
    if (use.last_at && policy.idle_after_ms.count() > 0) {
        use.idle_at = std::max({*use.last_at, workspace.changed_at, workspace.hold_until.value_or(Instant{})}) + policy.idle_after_ms;
    }
    return use;
}

}  // namespace berth::gateway
