// SPDX-License-Identifier: Apache-2.0
#include "settings/rows.hpp"

namespace berth {

std::string length_as_toml(Duration length) {
    if (length == Duration{0}) return "0ms";
    struct Unit {
        const char* name;
        std::int64_t ms;
    };
    for (const auto& unit : {Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1'000}}) {
        if (length.count() % unit.ms == 0) return fmt::format("{}{}", length.count() / unit.ms, unit.name);
    }
    return fmt::format("{}ms", length.count());
}

std::string text_as_toml(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

}  // namespace berth
