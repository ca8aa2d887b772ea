// SPDX-License-Identifier: Apache-2.0
#include "cli/text.hpp"

#include <fmt/format.h>
#include <wchar.h>

#include <algorithm>

namespace berth::cli {

namespace {

constexpr char32_t broken = 0xFFFD;

// One code point from the front of `text`, which is shortened by what was read.
char32_t take_code_point(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (size == 0 || size > text.size() || lead > 0xF4) {
        text.remove_prefix(1);
        return broken;
    }
    char32_t point = size == 1 ? lead : lead & (0xFFU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xC0) != 0x80) {
            text.remove_prefix(i);
            return broken;
        }
        point = (point << 6) | (next & 0x3F);
    }
    text.remove_prefix(size);
    const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    return overlong || surrogate || point > 0x10FFFF ? broken : point;
}

void put_code_point(std::string& to, char32_t point) {
    if (point < 0x80) {
        to += static_cast<char>(point);
    } else if (point < 0x800) {
        to += static_cast<char>(0xC0 | (point >> 6));
        to += static_cast<char>(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        to += static_cast<char>(0xE0 | (point >> 12));
        to += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
        to += static_cast<char>(0x80 | (point & 0x3F));
    } else {
        to += static_cast<char>(0xF0 | (point >> 18));
        to += static_cast<char>(0x80 | ((point >> 12) & 0x3F));
        to += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
        to += static_cast<char>(0x80 | (point & 0x3F));
    }
}

// C0, DEL, C1, and the marks that turn the direction of a line round.
bool is_control(char32_t point) {
    return point < 0x20 || (point >= 0x7F && point < 0xA0) || (point >= 0x202A && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0x2028 || point == 0x2029;
}

}  // namespace

std::size_t display_width(std::string_view utf8) {
    std::size_t width = 0;
    while (!utf8.empty()) {
        const int columns = ::wcwidth(static_cast<wchar_t>(take_code_point(utf8)));
        width += columns > 0 ? static_cast<std::size_t>(columns) : 0;
    }
    return width;
}

std::string printable(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    while (!text.empty()) {
        const auto point = take_code_point(text);
        if (point == '\n' || point == '\t') {
            clean += ' ';
        } else {
            put_code_point(clean, is_control(point) ? broken : point);
        }
    }
    return clean;
}

std::string short_duration(Duration duration) {
    const auto seconds = duration.count() / 1000;
    if (seconds < 0) return "-" + short_duration(-duration);
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    if (seconds < 86'400) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
    return fmt::format("{}d{:02}h", seconds / 86'400, seconds / 3600 % 24);
}

std::string relative(Instant at, Instant now) {
    if (at == Instant{}) return "-";
    if (at < now) return short_duration(now - at) + " ago";
    // Up to the unit that is shown last: a lease of 8 h says 8h00m, not 7h59m, when it was just made.
    const auto ahead = (at - now).count();
    const std::int64_t unit = ahead > 86'400'000 ? 3'600'000 : ahead > 3'600'000 ? 60'000 : 1'000;
    return "in " + short_duration(Duration{(ahead + unit - 1) / unit * unit});
}

std::string elapsed(Duration duration) {
    if (duration.count() < 0) duration = Duration{0};
    if (duration.count() < 60'000) return fmt::format("{:.1f}s", static_cast<double>(duration.count()) / 1000);
    return short_duration(duration);
}

std::string ordinal(std::uint32_t n) {
    const auto tens = n % 100;
    const bool teen = tens >= 11 && tens <= 13;
    const char* ending = teen ? "th" : n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
    return fmt::format("{}{}", n, ending);
}

std::string shell_quoted(std::string_view word) {
    const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
        return std::isalnum(c) || std::string_view{"@%+=:,./-_"}.find(static_cast<char>(c)) != std::string_view::npos;
    });
    if (plain) return std::string{word};
    std::string quoted = "'";
    for (const char c : word) {
        if (c == '\'') {
            quoted += "'\\''";
        } else {
            quoted += c;
        }
    }
    return quoted + "'";
}

std::vector<std::string> split(std::string_view text, char by) {
    std::vector<std::string> parts;
    std::size_t start = 0;
    while (start <= text.size()) {
        const auto end = std::min(text.find(by, start), text.size());
        if (end > start) parts.emplace_back(text.substr(start, end - start));
        start = end + 1;
    }
    return parts;
}

}  // namespace berth::cli
