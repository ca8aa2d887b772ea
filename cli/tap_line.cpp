// SPDX-License-Identifier: Apache-2.0
#include "cli/tap_line.hpp"

#include <algorithm>
#include <charconv>

#include "cli/chain.hpp"
#include "cli/narrate.hpp"
#include "cli/text.hpp"

namespace berth::cli {

namespace {

constexpr std::size_t sources_max = 4096;
constexpr std::size_t type_width = 22;

std::optional<std::uint64_t> number(const std::string& text) {
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || stop != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

// What an event says in short: the gist of a fact, else its plain members.
std::string words_of(std::string_view name, const Json& data) {
    auto gist = gist_of(name, data);
    if (!gist.empty() || !data.is_object()) return gist;
    for (const auto& [key, value] : data.items()) {
        if (value.is_structured()) continue;
        gist += fmt::format("{}{}={}", gist.empty() ? "" : " ", key, text_at(data, key));
    }
    return gist;
}

}  // namespace

std::string tap_line(std::string_view stream_type, const Json& event, TimeShown time, bool colour) {
    const auto name = printable(event_name_of(stream_type, event));
    const auto at = printable(text_at(event, "time").empty() ? text_at(event, "at") : text_at(event, "time"));
    std::string line;
    if (time == TimeShown::full) line += at + "  ";
    if (time == TimeShown::clock) line += (at.size() >= 23 ? at.substr(11, 12) : at) + "  ";
    const auto position = text_at(event, "position");
    line += fmt::format("{:>6}  ", position.empty() ? "·" : "#" + printable(position));
    const auto padded = fmt::format("{:<{}}", name, type_width);
    line += colour ? "\033[1m" + padded + "\033[0m" : padded;
    std::string words;
    if (const auto* data = find(event, "data")) words = printable(words_of(name, *data));
    if (!words.empty()) line += "  " + words;
    if (const auto* reason = find(event, "reason")) {
        const auto why = printable(text_at(*reason, "why"));
        if (!why.empty() && words.find(why) == std::string::npos) line += colour ? "  \033[2m" + why + "\033[0m" : "  (" + why + ")";
    }
    return line;
}

std::uint64_t GapCounter::note(const Json& event) {
    ++seen_;
    const auto source = text_at(event, "source");
    const auto sequence = number(text_at(event, "sequence"));
    if (!sequence || source.empty()) return 0;
    const auto at = last_.find(source);
    std::uint64_t missing = 0;
    if (at == last_.end()) {
        if (last_.size() >= sources_max) last_.erase(last_.begin());
        last_.emplace(source, *sequence);
    } else {
        if (*sequence > at->second + 1) missing = *sequence - at->second - 1;
        at->second = std::max(at->second, *sequence);
    }
    missed_ += missing;
    return missing;
}

bool TapFilter::accepts(std::string_view name, const Json& event) const {
    const bool type_fits = types.empty() || std::any_of(types.begin(), types.end(), [&](const std::string& prefix) {
        return name.starts_with(prefix);
    });
    if (!type_fits) return false;
    if (subject.empty() || text_at(event, "subject") == subject) return true;
    const auto* data = find(event, "data");
    if (data == nullptr || !data->is_object()) return false;
    return std::any_of(data->begin(), data->end(), [&](const Json& value) {
        return value.is_string() && value.get_ref<const std::string&>() == subject;
    });
}

}  // namespace berth::cli
