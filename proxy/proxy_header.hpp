// SPDX-License-Identifier: Apache-2.0
// The header by which a front proxy says, before the first byte of a browser, where the browser is
// (PROXY protocol, versions 1 and 2). Read exactly, so that not a byte of what follows is taken.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace berth::proxy {

inline constexpr std::size_t proxy_header_first = 12;       // bytes by which the version is told; each has more
inline constexpr std::size_t proxy_header_fixed = 16;       // of version 2, its length at the end
inline constexpr std::size_t proxy_header_line_max = 107;   // of version 1, with its CRLF

enum class ProxyVersion { none, line, binary };
ProxyVersion proxy_version(std::string_view first);

/// How many bytes follow the fixed part of version 2; nullopt when it is none.
std::optional<std::size_t> proxy_header_rest(std::string_view fixed);

/// Where the browser is: "192.0.2.7", "unknown" for a front proxy's own checks. nullopt: no such header.
std::optional<std::string> browser_in_line(std::string_view line);                       // without its CRLF
std::optional<std::string> browser_in_binary(std::string_view fixed, std::string_view rest);

}  // namespace berth::proxy
