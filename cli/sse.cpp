// SPDX-License-Identifier: Apache-2.0
#include "cli/sse.hpp"

namespace berth::cli {

Result<std::vector<SseEvent>> SseParser::feed(std::string_view bytes) {
    std::vector<SseEvent> events;
    for (const char c : bytes) {
        const bool end = c == '\n' || c == '\r';
        if (end && c == '\n' && after_cr_) {
            after_cr_ = false;
            continue;  // the second half of a CRLF
        }
        after_cr_ = c == '\r';
        if (!end) {
            pending_ += c;
            if (pending_.size() + data_.size() > event_bytes_max) {
                return fail(ErrorKind::limit, "an event of the stream is over {} bytes", event_bytes_max);
            }
            continue;
        }
        take_line(pending_, events);
        pending_.clear();
    }
    return events;
}

void SseParser::take_line(std::string_view line, std::vector<SseEvent>& to) {
    if (line.empty()) {
        if (has_data_) to.push_back({last_id_, type_.empty() ? "message" : type_, data_});
        type_.clear();
        data_.clear();
        has_data_ = false;
        return;
    }
    const auto colon = line.find(':');
    const auto field = line.substr(0, colon);
    auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "data") {
        if (has_data_) data_ += '\n';
        data_ += value;
        has_data_ = true;
    } else if (field == "event") {
        type_ = value;
    } else if (field == "id" && value.find('\0') == std::string_view::npos) {
        last_id_ = value;
    }
}

}  // namespace berth::cli
