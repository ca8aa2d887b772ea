// SPDX-License-Identifier: Apache-2.0
// Notes of use, one per workspace and second at most, into the host's memory; the agent reads them.
#pragma once

#include <map>
#include <optional>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "hostkv/local_kv.hpp"

namespace berth::proxy {

class Activity {
public:
    explicit Activity(LocalKv& kv) : kv_(kv) {}

    /// A user's byte went to the workspace.
    void mark(const WorkspaceId& workspace, Instant now);
    /// Writes what could not be written at once; forgets workspaces without use. Called every second.
    void flush(Instant now);

private:
    struct Note {
        Instant written;
        std::optional<Instant> newer;
    };
    void write(const WorkspaceId& workspace, Note& note, Instant at);

    LocalKv& kv_;
    std::map<WorkspaceId, Note> notes_;
};

}  // namespace berth::proxy
