// SPDX-License-Identifier: Apache-2.0
// What keeps a workspace from being idle, as its host last said it: one signal of all, for people to read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "events/activity.hpp"
#include "events/view.hpp"

namespace berth::gateway {

/// The host's last word on one workspace.
struct UseSeen {
    Epoch epoch;
    Instant read_at;                      // by the host's clock
    Instant received_at;                  // by ours
    std::vector<Signal> signals;
};

/// The signal that holds it: one that is not known, else the latest that counts by its pool's rule.
struct UseView {
    std::string holds;                    // its name; "unknown signal" is what `known` says
    bool known = false;
    std::string text;                     // "a terminal runs `make -j8`"
    std::optional<Instant> last_at;       // by our clock
    std::optional<Instant> since;         // of a job
    std::optional<Instant> idle_at;       // when the reaper may intend to stop it, if nothing else happens
    Instant read_at;
    BERTH_FIELDS(UseView, holds, known, text, last_at, since, idle_at, read_at)
};

std::optional<UseView> use_of(const View& view, const WorkspaceView& workspace, const std::map<WorkspaceId, UseSeen>& uses);

}  // namespace berth::gateway
