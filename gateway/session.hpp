// SPDX-License-Identifier: Apache-2.0
// A browser's session at the gateway: its cookie, and when a request that brings one is its user's own doing.
// Pure; the sessions themselves are entries of the token table.
//
//   link, token or OIDC ─► signed in ─(used: its end moves, at most to length_max)─► signed in
//                              └─(signed out · unused_max · length_max · revoked)─► *over
//
// A cookie comes along whoever caused the request, so it proves its user alone where the browser says that the
// page was ours: for every change (Origin, or Sec-Fetch-Site where a browser has it), and for reads of the API,
// unless nothing speaks against it. A person who follows a link to a page of ours is let through: pages change nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/http.hpp"
#include "gateway/policy.hpp"
#include "gateway/routes.hpp"
#include "gateway/token_table.hpp"

namespace berth::gateway {

// Both are taken out by the proxy before a workspace sees a request, like all of ours (proxy/names.hpp), and '_'
// stands in no workspace's name.
inline constexpr std::string_view secure_session_cookie = "__Host-berth-_session";   // over https
inline constexpr std::string_view plain_session_cookie = "berth-_session";           // over http, on loopback

SessionTerms session_terms(const Policy& policy);

/// Whether this request's browser talks https to us, as far as it can be told: by public_url, or by a front proxy's word.
bool is_secure(const HttpRequest& request, std::string_view public_url);
/// The text of the session that this request shows; empty when it shows none.
std::string session_of(const HttpRequest& request, std::string_view public_url);

/// Which browser began a sign-in at an issuer; gone when it is over.
inline constexpr std::string_view secure_attempt_cookie = "__Host-berth-_oidc";
inline constexpr std::string_view plain_attempt_cookie = "berth-_oidc";
std::string attempt_of(const HttpRequest& request, std::string_view public_url);

enum class Secure { yes, no };
std::string attempt_cookie(std::string_view plain, Duration lifetime, Secure secure);
std::string session_cookie(std::string_view plain, Duration lifetime, Secure secure);
std::string ended_session_cookie(Secure secure);

/// Scheme, name and port of a URL, as a browser writes an Origin: in lower case, without the scheme's own port.
std::string origin_of(std::string_view url);
/// The Origin that it names is this gateway's: of the address that was asked, or of public_url.
bool is_own_origin(const HttpRequest& request, std::string_view public_url);
/// Why its cookie counts for nothing with this request; nothing when it does.
std::optional<std::string> why_cookie_is_not_meant(const HttpRequest& request, const Route& route, std::string_view public_url);

/// A person opens a page: no prefetch, no frame, no script.
bool is_visit(const HttpRequest& request);
/// Where a sign-in may lead back to: "/open/<workspace>", a login's page, or "/dashboard", which is also the answer to all else.
std::string way_on(std::string_view wanted);

}  // namespace berth::gateway
