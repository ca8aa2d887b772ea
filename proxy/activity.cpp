// SPDX-License-Identifier: Apache-2.0
#include "proxy/activity.hpp"

#include "base/diagnostics.hpp"
#include "proxy/policy.hpp"

namespace berth::proxy {

namespace {

/// Each window has two: one for the page, one for its extensions.
std::uint32_t windows_of(std::size_t tunnels) { return static_cast<std::uint32_t>((tunnels + 1) / 2); }

}  // namespace

void Activity::mark(const WorkspaceId& workspace, Instant now) {
    auto& note = notes_[workspace];
    note.asked = now;
    if (now - note.written < activity_period) {
        note.newer = now;
        return;
    }
    write(workspace, note, now);
}

void Activity::weigh(const WorkspaceId& workspace, Sign sign, std::string_view what, Instant now) {
    if (sign == Sign::never) return;
    if (sign == Sign::unless_it_repeats) {
        auto& note = notes_[workspace];
        note.asked = now;
        if (note.rhythm.repeats(what, now)) return;
    }
    mark(workspace, now);
}

Activity::TunnelId Activity::editor_opened(const WorkspaceId& workspace, Instant now) {
    const auto tunnel = ++tunnels_;
    editors_[workspace].spoke[tunnel] = now;
    return tunnel;
}

void Activity::editor_spoke(const WorkspaceId& workspace, TunnelId tunnel, Instant now) {
    editors_[workspace].spoke[tunnel] = now;
}

void Activity::editor_closed(const WorkspaceId& workspace, TunnelId tunnel) { editors_[workspace].spoke.erase(tunnel); }

void Activity::flush(Instant now) {
    for (auto at = notes_.begin(); at != notes_.end();) {
        auto& note = at->second;
        if (note.newer && now - note.written >= activity_period) write(at->first, note, *note.newer);
        const bool quiet = !note.newer && now - note.asked > rhythm_kept;
        at = quiet ? notes_.erase(at) : std::next(at);
    }
    write_editors(now);
}

void Activity::finish() {
    for (auto& [workspace, note] : notes_) {
        if (note.newer) write(workspace, note, *note.newer);
    }
}

void Activity::write_editors(Instant now) {
    for (auto at = editors_.begin(); at != editors_.end();) {
        auto& editors = at->second;
        std::size_t live = 0;
        for (const auto& [tunnel, spoke] : editors.spoke) live += now - spoke <= editor_silence ? 1 : 0;
        const EditorsSeen seen{.at = now, .windows = windows_of(live)};
        const bool news = seen.windows != editors.told.windows || (live > 0 && now - editors.told.at >= editor_period);
        if (news) {
            editors.told = seen;
            if (const auto put = kv_.put_editors(at->first, seen); !put) {
                log_warn("activity.unwritten", {{"workspace", at->first}, {"why", put.error().text}});
            }
        }
        at = editors.spoke.empty() ? editors_.erase(at) : std::next(at);
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
