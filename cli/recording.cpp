// SPDX-License-Identifier: Apache-2.0
#include "cli/recording.hpp"

#include <fmt/format.h>

#include "cli/text.hpp"

namespace berth::cli {

namespace {

constexpr std::int64_t version = 1;

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

/// What is wrong with an event's line; empty when nothing is.
std::string why_no_event(const Json& line, Duration last) {
    if (!line.is_object()) return "is no JSON object";
    const auto* after = find(line, "after_ms");
    if (after == nullptr || !after->is_number_integer() || after->get<std::int64_t>() < 0) return "has no after_ms";
    if (Duration{after->get<std::int64_t>()} < last) return "is earlier than the line before";
    const auto* type = find(line, "type");
    if (type == nullptr || !type->is_string() || type->get_ref<const std::string&>().empty()) return "has no type";
    const auto* event = find(line, "event");
    return event == nullptr || !event->is_object() ? "has no event" : "";
}

}  // namespace

std::string recording_head(std::string_view gateway, Instant begun_at) {
    return line_of({{"berth_recording", version}, {"gateway", gateway}, {"begun_at", to_rfc3339(begun_at)}});
}

std::string recording_line(const Recorded& recorded) {
    return line_of({{"after_ms", recorded.after.count()}, {"type", recorded.type}, {"event", recorded.event}});
}

Result<Recording> read_recording(std::string_view text, std::string_view name) {
    Recording recording;
    std::size_t number = 0;
    const auto bad = [&](std::string_view why) {
        const auto way = number <= 2 ? std::string{"it is no recording of `berth tap --record`"}
                                     : fmt::format("`head -n {} {}` is what is good of it", number - 1, shell_quoted(name));
        return fail(ErrorKind::invalid, "{}, line {}: {}; {}", name, number, why, way);
    };
    while (!text.empty() || number == 0) {
        ++number;
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return bad(text.empty() ? "is missing" : "is cut off");
        const auto line = Json::parse(text.substr(0, end), nullptr, false);
        text.remove_prefix(end + 1);
        if (number == 1) {
            const auto* says = line.is_object() ? find(line, "berth_recording") : nullptr;
            if (says == nullptr || !says->is_number_integer()) return bad("says no berth_recording");
            if (*says != version) return bad(fmt::format("is of version {}; this berth reads {}", says->dump(), version));
            recording.gateway = text_at(line, "gateway");
            recording.begun_at = text_at(line, "begun_at");
            continue;
        }
        const auto last = recording.events.empty() ? Duration{0} : recording.events.back().after;
        if (const auto why = why_no_event(line, last); !why.empty()) return bad(why);
        recording.events.push_back({Duration{line["after_ms"].get<std::int64_t>()}, line["type"].get<std::string>(), line["event"]});
    }
    return recording;
}

}  // namespace berth::cli
