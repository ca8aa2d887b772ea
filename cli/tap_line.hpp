// SPDX-License-Identifier: Apache-2.0
// One event of the stream as one line, and how many were missed on the way. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "cli/table.hpp"

namespace berth::cli {

BERTH_ENUM(TimeShown, none, clock, full)

/// "04:13:01.123  #12  claim.accepted  web of ada …". `stream_type` is the event's name in the stream.
std::string tap_line(std::string_view stream_type, const Json& event, TimeShown time, bool colour);

/// Counts what each source skipped, by its sequence numbers, and what the ledger's positions skipped.
class GapCounter {
public:
    /// How many were missed right before this one.
    std::uint64_t note(const Json& event);
    std::uint64_t missed() const { return missed_; }
    std::uint64_t seen() const { return seen_; }

private:
    std::map<std::string, std::uint64_t> last_;
    std::uint64_t missed_ = 0;
    std::uint64_t seen_ = 0;
};

struct TapFilter {
    std::vector<std::string> types;       // prefixes of names; empty: all
    std::string subject;                  // equal to the subject or to an id in the data; empty: all
    bool accepts(std::string_view name, const Json& event) const;
};

}  // namespace berth::cli
