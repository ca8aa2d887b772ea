// SPDX-License-Identifier: Apache-2.0
// A recording of events as text: one line that says what it is, then a line for each event as it came and when.
//   {"berth_recording":1,"gateway":"http://…","begun_at":"2026-11-27T15:00:00.000Z"}
//   {"after_ms":120,"type":"claim.granted","event":{…}}
// It is read whole before anything of it is used: a file that is damaged is refused with its line. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "cli/table.hpp"

namespace berth::cli {

inline constexpr std::size_t recording_bytes_max = 256 * 1024 * 1024;

struct Recorded {
    Duration after{0};                    // since the recording began; never less than the one before
    std::string type;                     // in the stream
    Json event;
};
struct Recording {
    std::string gateway;
    std::string begun_at;
    std::vector<Recorded> events;
};

/// Lines, each with its end.
std::string recording_head(std::string_view gateway, Instant begun_at);
std::string recording_line(const Recorded& recorded);
/// `name` is for errors.
Result<Recording> read_recording(std::string_view text, std::string_view name);

}  // namespace berth::cli
