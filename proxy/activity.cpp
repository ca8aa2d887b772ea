// SPDX-License-Identifier: Apache-2.0
#include "proxy/activity.hpp"

#include "base/diagnostics.hpp"
#include "proxy/policy.hpp"

namespace berth::proxy {

void Activity::mark(const WorkspaceId& workspace, Instant now) {
    auto& note = notes_[workspace];
    if (now - note.written < activity_period) {
        note.newer = now;
        return;
    }
    write(workspace, note, now);
}

void Activity::flush(Instant now) {
    for (auto at = notes_.begin(); at != notes_.end();) {
        auto& note = at->second;
        if (note.newer && now - note.written >= activity_period) write(at->first, note, *note.newer);
        const bool quiet = !note.newer && now - note.written > 60 * activity_period;
        at = quiet ? notes_.erase(at) : std::next(at);
    }
}

void Activity::write(const WorkspaceId& workspace, Note& note, Instant at) {
    note.written = at;
    note.newer.reset();
    if (const auto put = kv_.put_activity(workspace, at); !put) {
        log_warn("activity.unwritten", {{"workspace", workspace}, {"why", put.error().text}});
    }
}

}  // namespace berth::proxy
