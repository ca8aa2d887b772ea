// SPDX-License-Identifier: Apache-2.0
// Names that a request brings along: its Host, target, Origin and cookies. Nothing is decoded and
// nothing is repaired: what is not of the one expected form names nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace berth::proxy {

inline constexpr std::string_view secure_cookie = "__Host-berth";
inline constexpr std::string_view plain_cookie =
    "berth-session";   // where a browser refuses Secure: http, no localhost

std::string to_lower(std::string_view text);

/// "w-1.localhost:8080" gives w-1 for the apps domain "localhost"; one label before it, no more.
std::optional<WorkspaceId> workspace_of(std::string_view host, std::string_view apps_domain);

/// The path and query of a target. An absolute form must name the same host as the Host field.
std::optional<std::string_view> path_of(std::string_view target, std::string_view host);

/// True when an Origin field is exactly that of the page's own host.
bool same_origin(std::string_view origin, std::string_view scheme, std::string_view host);

/// Browsers keep a Secure cookie of plain http only where the name is localhost or below it.
std::string_view cookie_name(std::string_view scheme, std::string_view apps_domain);
std::string set_cookie(std::string_view name, std::string_view token, Duration lifetime);
/// The value of the cookie `name` in Cookie fields; absent also when it is there more than once.
std::optional<std::string> cookie_value(const std::vector<std::string_view>& fields, std::string_view name);
/// All other cookies, as one field's value; empty when none is left.
std::string without_our_cookies(const std::vector<std::string_view>& fields);
/// A Set-Cookie that a container may send to its browser: not of our names, for no other host.
bool may_set_cookie(std::string_view field);

}  // namespace berth::proxy
