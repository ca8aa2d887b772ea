// SPDX-License-Identifier: Apache-2.0
#include "aws/prices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "aws/prices_text.hpp"

namespace berth::aws {

namespace {

std::vector<std::string_view> split(std::string_view text, char by) {
    std::vector<std::string_view> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find(by, at), text.size());
        parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

std::optional<std::uint32_t> micros(std::string_view dollars_per_hour) {
    double value = 0;
    const auto [end, bad] = std::from_chars(dollars_per_hour.data(), dollars_per_hour.data() + dollars_per_hour.size(), value);
    const bool whole = bad == std::errc{} && end == dollars_per_hour.data() + dollars_per_hour.size();
    if (!whole || value < 0 || value > 4'000) return std::nullopt;
    return static_cast<std::uint32_t>(value * 1e6 + 0.5);
}

struct Table {
    std::string_view day;
    std::vector<std::string_view> regions;
    std::map<std::string_view, std::vector<std::string_view>> types;
};
const Table& table() {
    static const Table read = [] {
        Table made;
        auto lines = split(prices_text, '\n');
        made.regions = split(lines.front(), '\t');
        made.day = made.regions.front();
        for (const auto& line : lines) {
            auto cells = split(line, '\t');
            const auto type = cells.front();
            if (&line != &lines.front() && !type.empty()) made.types.emplace(type, std::move(cells));
        }
        return made;
    }();
    return read;
}

struct Own {
    std::string_view region;              // empty: all
    std::string_view type;
    std::optional<std::uint32_t> price;
};
Own read_own(std::string_view text) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) return {};
    const auto name = text.substr(0, equals);
    const auto slash = name.find('/');
    const bool of_one = slash != std::string_view::npos;
    return {of_one ? name.substr(0, slash) : std::string_view{}, of_one ? name.substr(slash + 1) : name, micros(text.substr(equals + 1))};
}

}  // namespace

std::string_view prices_of_day() { return table().day; }

std::optional<std::uint32_t> price_of(std::string_view region, std::string_view type, const std::vector<std::string>& own) {
    std::optional<std::uint32_t> of_all;
    for (const auto& text : own) {
        const auto one = read_own(text);
        if (one.type != type || !one.price) continue;
        if (one.region == region) return one.price;
        if (one.region.empty()) of_all = one.price;
    }
    if (of_all) return of_all;
    const auto& known = table();
    const auto row = known.types.find(type);
    const auto column = std::find(known.regions.begin(), known.regions.end(), region);
    if (row == known.types.end() || column == known.regions.end()) return std::nullopt;
    const auto index = static_cast<std::size_t>(column - known.regions.begin());
    return index > 0 && index < row->second.size() && !row->second[index].empty() ? micros(row->second[index]) : std::nullopt;
}

Result<void> check_prices(const std::vector<std::string>& own) {
    for (const auto& text : own) {
        if (!read_own(text).price) return fail(ErrorKind::invalid, "price '{}' can not be read; write it as \"t3.large=0.0912\" or \"eu-central-1/t3.large=0.0912\", in US dollars per hour", text);
    }
    return {};
}

std::string dollars(Microdollars amount) {
    if (amount == 0) return "$0";
    if (amount < 10'000) return fmt::format("${:.4f}", static_cast<double>(amount) / 1e6);
    if (amount < 1'000'000) return fmt::format("${:.3f}", static_cast<double>(amount) / 1e6);
    return fmt::format("${:.2f}", static_cast<double>(amount) / 1e6);
}

}  // namespace berth::aws
