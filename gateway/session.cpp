// SPDX-License-Identifier: Apache-2.0
#include "gateway/session.hpp"

#include <fmt/format.h>

#include "base/ids.hpp"
#include "gateway/target.hpp"

namespace berth::gateway {

namespace {

constexpr std::size_t session_length_max = 128;

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
    return text;
}

std::string cookie_of(const HttpRequest& request, std::string_view name) {
    for (const auto& [key, value] : request.headers) {
        if (key != "cookie") continue;
        std::string_view rest = value;
        while (!rest.empty()) {
            const auto end = rest.find(';');
            const auto part = trimmed(rest.substr(0, end));
            rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
            const auto equals = part.find('=');
            if (equals == std::string_view::npos || part.substr(0, equals) != name) continue;
            const auto found = part.substr(equals + 1);
            return found.size() <= session_length_max ? std::string{found} : std::string{};
        }
    }
    return {};
}

// Lax: a link from elsewhere, and the issuer's way back, are a person's own steps.
std::string cookie(std::string_view name, std::string_view value, std::int64_t seconds, Secure secure) {
    return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{}", name, value, seconds, secure == Secure::yes ? "; Secure" : "");
}
std::string_view name_of(Secure secure) { return secure == Secure::yes ? secure_session_cookie : plain_session_cookie; }

bool is_loopback_name(std::string_view host) {
    const auto name = lower(host);
    return name.starts_with("127.") || name.starts_with("[::1]") || name == "localhost" || name.starts_with("localhost:");
}

}  // namespace

SessionTerms session_terms(const Policy& policy) {
    return {policy.session_unused_max, policy.session_length_max, policy.sessions_per_user_max};
}

bool is_secure(const HttpRequest& request, std::string_view public_url) {
    if (lower(request.header("x-forwarded-proto")) == "https") return true;   // who lies about it only spoils its own cookie
    return lower(public_url).starts_with("https://") && !is_loopback_name(request.header("host"));
}

std::string session_of(const HttpRequest& request, std::string_view public_url) {
    return cookie_of(request, is_secure(request, public_url) ? secure_session_cookie : plain_session_cookie);
}

std::string session_cookie(std::string_view plain, Duration lifetime, Secure secure) { return cookie(name_of(secure), plain, lifetime.count() / 1000, secure); }
std::string ended_session_cookie(Secure secure) { return cookie(name_of(secure), "", 0, secure); }
std::string attempt_of(const HttpRequest& request, std::string_view public_url) {
    return cookie_of(request, is_secure(request, public_url) ? secure_attempt_cookie : plain_attempt_cookie);
}
std::string attempt_cookie(std::string_view plain, Duration lifetime, Secure secure) {
    return cookie(secure == Secure::yes ? secure_attempt_cookie : plain_attempt_cookie, plain, lifetime.count() / 1000, secure);
}

std::string origin_of(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return {};
    auto origin = lower(url.substr(0, url.find_first_of("/?#", scheme + 3)));
    for (const std::string_view usual : {":80", ":443"}) {
        const bool of_scheme = origin.starts_with("https:") == (usual == ":443");
        if (of_scheme && origin.ends_with(usual)) origin.erase(origin.size() - usual.size());
    }
    return origin;
}

bool is_own_origin(const HttpRequest& request, std::string_view public_url) {
    const auto origin = request.header("origin");
    if (origin.empty()) return false;
    // Behind a front proxy the page's origin is the public one, whatever Host came through.
    if (!public_url.empty() && origin_of(origin) == origin_of(public_url)) return true;
    const auto scheme = origin.find("://");
    return scheme != std::string_view::npos && lower(origin.substr(scheme + 3)) == lower(request.header("host"));
}

std::optional<std::string> why_cookie_is_not_meant(const HttpRequest& request, const Route& route, std::string_view public_url) {
    const auto site = lower(request.header("sec-fetch-site"));
    if (route.effect == Effect::changes) {
        const bool ours = site.empty() ? is_own_origin(request, public_url) : site == "same-origin";
        if (ours) return std::nullopt;
        return "with a session only the gateway's own pages change something: the request says neither Sec-Fetch-Site: same-origin nor our own Origin. "
               "Programs send 'Authorization: Bearer …'";
    }
    if (route.style == Style::page) return std::nullopt;
    if (site.empty() || site == "same-origin" || site == "none") return std::nullopt;
    return "a page of another site reads nothing here";
}

bool is_visit(const HttpRequest& request) {
    for (const char* name : {"sec-purpose", "purpose", "x-purpose", "x-moz"}) {
        const auto purpose = lower(request.header(name));
        if (purpose.find("prefetch") != std::string::npos || purpose.find("preview") != std::string::npos ||
            purpose.find("prerender") != std::string::npos) {
            return false;
        }
    }
    const auto destination = lower(request.header("sec-fetch-dest"));
    return destination.empty() || destination == "document";
}

std::string way_on(std::string_view wanted) {
    constexpr std::string_view open = "/open/";
    constexpr std::string_view login = "/sign-in/login?code=";
    if (wanted.starts_with(open) && is_dns_label(wanted.substr(open.size()))) return std::string{wanted};
    if (wanted.starts_with(login) && wanted.size() <= login.size() + 9 &&
        wanted.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ-", login.size()) == std::string_view::npos) {
        return std::string{wanted};
    }
    return "/dashboard";
}

}  // namespace berth::gateway
