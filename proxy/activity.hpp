// SPDX-License-Identifier: Apache-2.0
// Notes of use, one per workspace and second at most, into the host's memory; the agent reads them. And
// how many windows of the editor are open: of these the agent expects a word of their own (use.hpp).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "hostkv/local_kv.hpp"
#include "proxy/use.hpp"

namespace berth::proxy {

class Activity {
public:
    using TunnelId = std::uint64_t;

    explicit Activity(LocalKv& kv) : kv_(kv) {}

    /// A sign of use by itself: bytes of a body, a frame to another program than the editor.
    void mark(const WorkspaceId& workspace, Instant now);
    /// A request that was answered, or a frame: `what` names it among its likes.
    void weigh(const WorkspaceId& workspace, Sign sign, std::string_view what, Instant now);

    /// A WebSocket of the editor is open until it is closed, and lives while its browser sends anything.
    TunnelId editor_opened(const WorkspaceId& workspace, Instant now);
    void editor_spoke(const WorkspaceId& workspace, TunnelId tunnel, Instant now);
    void editor_closed(const WorkspaceId& workspace, TunnelId tunnel);

    /// Writes what could not be written at once; forgets workspaces without use. Called every second.
    void flush(Instant now);
    /// Writes all that is not written. Nothing is said of editors: what was said grows old.
    void finish();

private:
    struct Note {
        Instant written;
        std::optional<Instant> newer;
        Instant asked;
        Rhythm rhythm;
    };
    struct Editors {
        std::map<TunnelId, Instant> spoke;
        EditorsSeen told;
    };
    void write(const WorkspaceId& workspace, Note& note, Instant at);
    void write_editors(Instant now);

    LocalKv& kv_;
    std::map<WorkspaceId, Note> notes_;
    std::map<WorkspaceId, Editors> editors_;
    TunnelId tunnels_ = 0;
};

}  // namespace berth::proxy
