// SPDX-License-Identifier: Apache-2.0
#include "docker/version.hpp"

#include <algorithm>
#include <charconv>

namespace berth::docker {

std::optional<ApiVersion> parse_version(std::string_view text) {
    ApiVersion version;
    const auto* end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, version.major);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return std::nullopt;
    const auto second = std::from_chars(first.ptr + 1, end, version.minor);
    if (second.ec != std::errc{} || second.ptr != end) return std::nullopt;
    return version;
}

std::string to_text(ApiVersion version) { return fmt::format("{}.{}", version.major, version.minor); }

Result<ApiVersion> choose_version(ApiVersion newest, std::optional<ApiVersion> oldest) {
    if (newest < version_least) {
        return fail(ErrorKind::conflict, "the container engine speaks API {} and older, berth {} and newer: take a newer engine",
                    to_text(newest), to_text(version_least));
    }
    if (oldest && *oldest > version_newest) {
        return fail(ErrorKind::conflict, "the container engine speaks API {} and newer, berth {} and older: take a newer berth",
                    to_text(*oldest), to_text(version_newest));
    }
    return std::min(newest, version_newest);
}

}  // namespace berth::docker
