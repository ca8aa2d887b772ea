// SPDX-License-Identifier: Apache-2.0
// What the editor says of persons. Our extension keeps one small note per window (presence/extension.js)
// in a folder that the agent reads. The workspace's user can write there too, so nothing of a note is
// believed beyond its bounds: what is forged can only prolong its own workspace's life, up to the caps.
//
//   touched <ms> <how>        the last sign of a person
//   active <0|1>              VS Code's own word: a key or a click within the last minute
//   task <ms> <name>          it runs since then
//   debug <ms> <name>
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "events/activity.hpp"
#include "hostkv/records.hpp"

namespace berth::hostagent {

inline constexpr std::size_t note_bytes_max = 4'096;
inline constexpr std::size_t note_running_max = 16;       // tasks and debug sessions of one window
inline constexpr std::size_t notes_max = 64;              // windows
inline constexpr std::size_t words_bytes_max = 80;        // of a name
inline constexpr Duration note_fresh{20'000};             // a window writes every 5 s

struct PresenceNote {
    Instant written_at;
    Instant touched_at;                   // epoch: never
    std::string how;
    bool active = false;
    std::vector<Signal> running;          // "job"
};
/// Nothing when it is no note of this form.
std::optional<PresenceNote> parse_note(std::string_view text, Instant written_at);

/// Printable, and no longer than that.
std::string plain_words(std::string_view words, std::size_t bytes_max = words_bytes_max);

/// Signal "presence": known when every open window speaks, or none is open. `begun`: nothing was used before.
Signal judge_presence(const std::vector<PresenceNote>& notes, const std::optional<EditorsSeen>& editors, Instant begun, Instant read_at);

}  // namespace berth::hostagent
