// SPDX-License-Identifier: Apache-2.0
// From readings to signals. Each signal is the last sign of use that it can vouch for; what could
// not be read is unknown, and says so (I32).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "events/activity.hpp"
#include "hostagent/engine.hpp"
#include "hostagent/presence.hpp"
#include "hostkv/records.hpp"

namespace berth::hostagent {

BERTH_ENUM(EditorWord,
           silent,      // no answer in time, or one that makes no sense: unknown
           absent,      // the environment has no such report: no signal
           said)

struct EditorReading {
    EditorWord word = EditorWord::silent;
    bool alive = false;
    std::optional<Instant> last_at;       // absent: never used
};
/// Of code-server's /healthz: {"status":"alive"|"expired","lastHeartbeat":ms}.
EditorReading read_editor(int http_status, const std::string& body);

/// What was read about one bound slot.
struct Reading {
    Result<std::optional<Instant>> proxy;
    EditorReading editor;
    Result<Usage> usage;
    Instant read_at;
    Result<std::optional<EditorsSeen>> editors = std::optional<EditorsSeen>{};   // open windows, by the proxy
    // Absent: this environment has no place for notes, and its own word on its use is taken instead.
    std::optional<Result<std::vector<PresenceNote>>> notes = std::nullopt;
};

/// Use is more than this on average. A burst counts as if it were spread over `window` at least:
/// between two looks that are close together, an idle program's smallest stir is a large share.
struct UseFloor {
    double cpu = 0;                       // of one core
    std::uint32_t io = 0;                 // bytes a second, of disks
    Duration window{0};
    std::uint32_t net = 4'096;            // bytes a second, both ways
};

/// What is remembered of each container: where counting began anew, after use or a full window.
struct UseMemory {
    Usage usage;
    Instant counted_from;
    Instant last_use;
    std::optional<std::string> text = std::nullopt;   // of that use
    std::optional<Signal> job = std::nullopt;         // as it was seen last: its end is a sign of use too
};
using UseMemories = std::map<ContainerId, UseMemory>;

/// All signals but the hold, which the core adds. Updates the memory of that container.
std::vector<Signal> judge(UseMemories& memories, const SlotRecord& record, const Reading& reading, const UseFloor& floor);

}  // namespace berth::hostagent
