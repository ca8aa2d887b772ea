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

inline constexpr std::string_view secure_cookie = "__Host-berth";   // over https
inline constexpr std::string_view plain_cookie = "berth-";          // over http, and then the workspace
inline constexpr std::size_t cookies_tried_max = 4;                 // of our name, in one request

std::string to_lower(std::string_view text);

/// http or https, and nothing that HTML or a header field would take for its own.
bool is_plain_url(std::string_view text);

/// "w-1.localhost:8080" gives w-1 for the apps domain "localhost"; one label before it, no more.
std::optional<WorkspaceId> workspace_of(std::string_view host, std::string_view apps_domain);

/// The path and query of a target. An absolute form must name the same host as the Host field.
std::optional<std::string_view> path_of(std::string_view target, std::string_view host);

/// True when an Origin field is exactly that of the page's own host.
bool same_origin(std::string_view origin, std::string_view scheme, std::string_view host);

/// How workspaces are told apart in a browser.
enum class Apart {
    by_name,     // each has a host name of its own
    by_port      // they share their host's address: cookies know no ports, so their names differ
};
/// Over plain http no browser but Chromium keeps a Secure cookie, not even for localhost, and curl none.
std::string cookie_name(std::string_view scheme, const WorkspaceId& workspace, Apart apart = Apart::by_name);
std::string set_cookie(std::string_view name, std::string_view token, Duration lifetime);
/// The values of the cookie `name` in Cookie fields, the first cookies_tried_max of them: a page of the
/// workspace can add more by the same name, which must not lock its user out.
std::vector<std::string> cookie_values(const std::vector<std::string_view>& fields, std::string_view name);
/// All other cookies, as one field's value; empty when none is left.
std::string without_our_cookies(const std::vector<std::string_view>& fields);
/// "/proxy/3000" of the path of a program of the user's own, which the editor passes on; "" for the editor's.
std::string_view preview_root(std::string_view path);
/// What goes on: all but ours while they are within `bytes_max`; else what the editor needs, for a path of
/// its own. nullopt for a preview whose cookies are over it: its program would get none that it knows.
std::optional<std::string> cookies_to_pass(const std::vector<std::string_view>& fields, std::string_view path,
                                           std::size_t bytes_max);
/// Names of what neither we nor the editor has set, each once, the first `names_max`.
std::vector<std::string> foreign_cookie_names(const std::vector<std::string_view>& fields, std::size_t names_max);
/// Set-Cookie values that end a cookie of that name wherever a page of `host` below `root` could set it.
std::vector<std::string> ended_cookies(std::string_view name, std::string_view host, std::string_view root);

/// A Set-Cookie that a container may send to its browser: not of our names, for no other host.
bool may_set_cookie(std::string_view field);

}  // namespace berth::proxy
