// SPDX-License-Identifier: Apache-2.0
#include "events/ending.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace berth {

namespace {

std::string workspaces_on(const HostView& host) {
    const auto held = std::count_if(host.slots.begin(), host.slots.end(), [](const SlotView& slot) { return !slot.workspace.empty(); });
    return fmt::format("{} workspace{}", held, held == 1 ? "" : "s");
}

}  // namespace

std::string waits_for(const View& view, const HostView& host) {
    if (!host.ending || host.liveness == Liveness::gone) return {};
    const auto& ending = *host.ending;
    if (view.is_unsure_of(host)) return "the ledger is an old copy and may not know what is on it: see docs/restore.md";
    if (host.admission == Admission::draining) return "it is sealed; the scaler ends its machine at the provider";
    if (host.is_static() && ending.cause == EndCause::pool_retired) {
        return fmt::format("no provider launched it, so an operator retires it: berth hosts end {}", host.host.value);
    }
    const bool silent = host.liveness == Liveness::unknown;
    if (!host.idle() && silent) {
        return fmt::format("it is silent since {}, and {} may still run there: they end when it is heard again, or {}",
                           to_rfc3339(host.changed_at), workspaces_on(host),
                           host.is_static() ? "when an operator says that the machine is off: berth hosts end " + host.host.value + " --force"
                                            : "when its provider says that the machine is gone (end it there)");
    }
    if (!host.idle() && ending.force) return fmt::format("{} on it {} being stopped", workspaces_on(host), workspaces_on(host).starts_with("1 ") ? "is" : "are");
    if (!host.idle()) return fmt::format("{} on it; --force stops them now", workspaces_on(host));
    if (silent) return fmt::format("it is silent since {}; it is given three heartbeats to be heard", to_rfc3339(host.changed_at));
    return "its agent is asked for the seal";
}

}  // namespace berth
