// SPDX-License-Identifier: Apache-2.0
// What a request says of a person. The editor's own connections and files say nothing: an open page sends
// frames and asks for parts of itself though nobody is there; it tells of persons by its presence notes
// (hostagent/presence.hpp). Requests to the person's own programs are use, unless they fail or come by
// themselves: a page that asks again and again keeps a rhythm, which no person does.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::proxy {

BERTH_ENUM(Target,
           editor_socket,   // a WebSocket of VS Code's own protocol
           editor_part,     // a file or service of its page
           program,         // /proxy/<port>, /absproxy/<port>
           page)            // anything else: the first page, another environment's

Target target_of(std::string_view path, bool websocket);

struct Ask {
    Target target = Target::page;
    std::string_view method;
    std::string_view fetch_mode;          // Sec-Fetch-Mode; empty: no browser that tells
    std::string_view fetch_user;          // "?1": a person's own act
    bool prefetch = false;
};

BERTH_ENUM(Sign, never, unless_it_repeats, always)
Sign sign_of(const Ask& ask);
/// A request that was answered so was none: nobody listens there.
bool is_failure(unsigned status);

/// Of one workspace: which requests, or frames, come at even intervals.
class Rhythm {
public:
    /// Did `what` come as long after its last time as that after the time before?
    bool repeats(std::string_view what, Instant now);

private:
    struct Beat {
        std::string what;
        Instant last;
        std::optional<Duration> interval;
    };
    std::deque<Beat> beats_;              // the latest first
};

inline constexpr std::size_t beats_max = 64;
inline constexpr std::size_t beat_bytes_max = 256;        // of a path

}  // namespace berth::proxy
