// SPDX-License-Identifier: Apache-2.0
// Server-sent events out of a byte stream, as the WHATWG standard cuts them, with bounds. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/reflect.hpp"
#include "base/result.hpp"

namespace berth::cli {

struct SseEvent {
    std::string id;
    std::string type;                     // "message" when the stream names none
    std::string data;
    BERTH_FIELDS(SseEvent, id, type, data)
};

class SseParser {
public:
    /// The events that are complete with these bytes; an error when one is over the bound.
    Result<std::vector<SseEvent>> feed(std::string_view bytes);
    /// Of the last event that had one: where to go on after a cut.
    const std::string& last_id() const { return last_id_; }

    static constexpr std::size_t event_bytes_max = 1024 * 1024;

private:
    void take_line(std::string_view line, std::vector<SseEvent>& to);

    std::string pending_;
    std::string last_id_;
    std::string type_;
    std::string data_;
    bool has_data_ = false;
    bool after_cr_ = false;
};

}  // namespace berth::cli
