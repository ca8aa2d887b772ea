// SPDX-License-Identifier: Apache-2.0
#include "base/time.hpp"

#include <array>
#include <cctype>
#include <utility>

namespace berth {

namespace {

// Reads exactly `width` digits at `at`; -1 when they are not there.
int digits(std::string_view text, std::size_t at, std::size_t width) {
    if (at + width > text.size()) return -1;
    int value = 0;
    for (std::size_t i = at; i < at + width; ++i) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

}  // namespace

std::string to_rfc3339(Instant at) {
    using namespace std::chrono;
    const auto total = at.time_since_epoch();
    const auto day = floor<days>(total);
    const year_month_day date{sys_days{day}};
    const hh_mm_ss clock{total - day};
    if (date.year() < year{0} || date.year() > year{9999}) {   // no RFC 3339, but words of a fact that must be kept
        return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                           static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                           clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
    }
    // Written by hand: every message bears one or more.
    std::string text = "0000-00-00T00:00:00.000Z";
    const auto write = [&](std::size_t end, unsigned value) {
        for (; value != 0; value /= 10) text[--end] = static_cast<char>('0' + value % 10);
    };
    write(4, static_cast<unsigned>(static_cast<int>(date.year())));
    write(7, static_cast<unsigned>(date.month()));
    write(10, static_cast<unsigned>(date.day()));
    write(13, static_cast<unsigned>(clock.hours().count()));
    write(16, static_cast<unsigned>(clock.minutes().count()));
    write(19, static_cast<unsigned>(clock.seconds().count()));
    write(23, static_cast<unsigned>(clock.subseconds().count()));
    return text;
}

Result<Instant> from_rfc3339(std::string_view text) {
    using namespace std::chrono;
    const auto bad = [&] {
        return fail(ErrorKind::invalid, "'{}' is not an RFC 3339 time such as 2026-11-21T03:44:40Z",
                    text.substr(0, 40));
    };
    const int y = digits(text, 0, 4), mo = digits(text, 5, 2), d = digits(text, 8, 2);
    const int h = digits(text, 11, 2), mi = digits(text, 14, 2), s = digits(text, 17, 2);
    if (y < 0 || mo < 0 || d < 0 || h < 0 || mi < 0 || s < 0 || text.size() < 20) return bad();
    if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') {
        return bad();
    }
    const year_month_day date{year{y}, month{static_cast<unsigned>(mo)}, day{static_cast<unsigned>(d)}};
    if (!date.ok() || h > 23 || mi > 59 || s > 60) return bad();
    std::size_t at = 19;
    int millis = 0;
    if (text[at] == '.') {
        int scale = 100;
        std::size_t count = 0;
        for (++at; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])); ++at) {
            millis += (text[at] - '0') * scale;
            scale /= 10;
            if (++count > 9) return bad();
        }
        if (count == 0) return bad();
    }
    minutes offset{0};
    if (at + 1 == text.size() && text[at] == 'Z') {
        // UTC
    } else if (at + 6 == text.size() && (text[at] == '+' || text[at] == '-')) {
        const int oh = digits(text, at + 1, 2), om = digits(text, at + 4, 2);
        if (oh < 0 || oh > 23 || om < 0 || om > 59 || text[at + 3] != ':') return bad();
        offset = minutes{(oh * 60 + om) * (text[at] == '-' ? -1 : 1)};
    } else {
        return bad();
    }
    const auto since = sys_days{date}.time_since_epoch() + hours{h} + minutes{mi} + seconds{s} - offset;
    return Instant{duration_cast<Duration>(since) + Duration{millis}};
}

Result<Duration> parse_duration(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> units{
        {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
    constexpr std::int64_t limit = std::int64_t{366} * 86'400'000;
    const auto bad = [&] {
        return fail(ErrorKind::invalid, "'{}' is not a duration such as 90s, 15m, 1h30m or 2d (at most 366d)",
                    text.substr(0, 40));
    };
    std::int64_t total = 0;
    std::size_t at = 0;
    if (text.empty()) return bad();
    while (at < text.size()) {
        std::int64_t count = 0;
        std::size_t from = at;
        for (; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])); ++at) {
            count = count * 10 + (text[at] - '0');
            if (count > limit) return bad();
        }
        if (at == from) return bad();
        from = at;
        while (at < text.size() && std::isalpha(static_cast<unsigned char>(text[at]))) ++at;
        const auto unit = text.substr(from, at - from);
        std::int64_t scale = 0;
        for (const auto& [name, value] : units) {
            if (name == unit) scale = value;
        }
        if (scale == 0 || count > limit / scale) return bad();
        total += count * scale;
        if (total > limit) return bad();
    }
    return Duration{total};
}

std::string to_text(Duration duration) {
    auto rest = duration.count();
    if (rest <= 0) return "0s";
    std::string text;
    for (const auto& [name, scale] :
         {std::pair{"d", 86'400'000LL}, {"h", 3'600'000LL}, {"m", 60'000LL}, {"s", 1000LL}, {"ms", 1LL}}) {
        if (rest >= scale) {
            text += fmt::format("{}{}", rest / scale, name);
            rest %= scale;
        }
    }
    return text;
}

}  // namespace berth
