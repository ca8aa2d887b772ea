// SPDX-License-Identifier: Apache-2.0
// What happens to a waiting claim, in one line per phase. ClaimFollower reads it out of the event
// stream; Narrator says it once, with the time since the claim was made. Both pure.
#pragma once

#include <optional>
#include <string>

#include "base/time.hpp"
#include "cli/table.hpp"

namespace berth::cli {

struct Phase {
    std::string text;                     // "queued, 2nd in line"
    std::string blocked_by;               // "vCPU quota"; empty when nothing is known to block
    BERTH_FIELDS(Phase, text, blocked_by)
};

/// Follows one claim, by its key, through events as JSON: {"type": "claim.progress", "data": {…}}.
class ClaimFollower {
public:
    explicit ClaimFollower(std::string key) : key_(std::move(key)) {}

    std::optional<Phase> feed(std::string_view type, const Json& data);
    /// Its id, once an event named it.
    const std::string& claim() const { return claim_; }
    bool granted() const { return granted_; }
    /// Why it ended without a workspace, once an event said so.
    const std::optional<Error>& ended() const { return ended_; }

private:
    bool is_ours(const Json& data);

    std::string key_;
    std::string claim_;
    std::string workspace_;
    bool granted_ = false;
    std::optional<Error> ended_;
};

/// The catalog name of an event: of its CloudEvents type ("io.berth.claim.granted.v1"), else as the
/// stream calls it.
std::string event_name_of(std::string_view stream_type, const Json& body);

class Narrator {
public:
    explicit Narrator(Instant started_at) : started_at_(started_at) {}

    /// The line to print, if this phase is news.
    std::optional<std::string> note(const Phase& phase, Instant now);
    /// The line that a terminal shows while nothing changes.
    std::string waiting_line(Instant now) const;

private:
    Instant started_at_;
    Instant phase_since_;
    std::optional<Phase> phase_;
};

}  // namespace berth::cli
