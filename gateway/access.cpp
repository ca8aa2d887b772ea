// SPDX-License-Identifier: Apache-2.0
#include "gateway/access.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/networks.hpp"
#include "gateway/session.hpp"
#include "gateway/target.hpp"

namespace berth::gateway {

namespace {

constexpr std::size_t token_length_max = 512;

// A name that somebody else's DNS could point here must not stand for a trusted network.
bool host_is_plain(std::string_view host) {
    auto name = lower(host);
    if (name.starts_with('[')) return true;
    if (const auto colon = name.rfind(':'); colon != std::string::npos) name.resize(colon);
    return name.empty() || name == "localhost" || parse_address(name).has_value();
}

Problem unauthorised(std::string text) { return {401, ErrorKind::denied, std::move(text), "", Refusal::no_token}; }

Problem tricked(std::string text) { return {403, ErrorKind::denied, std::move(text), "", Refusal::tricked}; }

}  // namespace

Principal Caller::principal() const {
    if (role == TokenRole::host) return Principal{"host-token:" + token_id};
    return Principal{(token_id.empty() ? "network:" : is_operator() ? "operator:" : "user:") + user.value};
}

Result<std::vector<TrustedNetwork>> read_networks(const std::vector<std::string>& from) {
    std::vector<TrustedNetwork> networks;
    for (const auto& text : from) {
        const auto bad = [&](std::string_view why) {
            return fail(ErrorKind::invalid, "compat.trusted_networks: '{}' {}; the form is 10.0.0.0/8=service-user", text, why);
        };
        const auto slash = text.find('/');
        const auto equals = text.find('=');
        if (slash == std::string::npos || equals == std::string::npos || equals < slash) return bad("has no / and =");
        if (!parse_address(text.substr(0, slash))) return bad("begins with no address");
        auto network = parse_network(std::string_view{text}.substr(0, equals));
        if (!network) return bad("has no such prefix length");
        const UserId user{text.substr(equals + 1)};
        if (const auto checked = check_name("the service user", user.value); !checked) return bad("names no user");
        networks.push_back({text, network->first.v6, network->first.bits, network->prefix, user});
    }
    std::stable_sort(networks.begin(), networks.end(), [](const auto& a, const auto& b) { return a.prefix > b.prefix; });
    return networks;
}

const TrustedNetwork* network_of(const std::vector<TrustedNetwork>& networks, const std::string& address) {
    const auto parsed = parse_address(address);
    if (!parsed) return nullptr;
    for (const auto& network : networks) {
        if (Network{{network.v6, network.bits}, network.prefix}.holds(*parsed)) return &network;
    }
    return nullptr;
}

std::optional<Problem> check_intent(const HttpRequest& request, const Route& route, std::string_view public_url) {
    if (route.effect == Effect::reads) return std::nullopt;
    for (const char* name : {"sec-purpose", "purpose", "x-purpose", "x-moz"}) {
        const auto purpose = lower(request.header(name));
        if (purpose.find("prefetch") != std::string::npos || purpose.find("preview") != std::string::npos ||
            purpose.find("prerender") != std::string::npos) {
            return tricked("a browser's prefetch changes nothing here; open the page yourself");
        }
    }
    const auto site = lower(request.header("sec-fetch-site"));
    if (!site.empty() && site != "same-origin" && site != "none") {
        return tricked("a page of another site changes nothing here; use the dashboard or the command line");
    }
    if (!request.header("origin").empty() && !is_own_origin(request, public_url)) {
        return tricked("the request comes from a page of another origin and changes nothing here");
    }
    return std::nullopt;
}

Identity identify(const HttpRequest& request, const Route& route, const TokenTable& tokens,
                  const std::vector<TrustedNetwork>& networks, Instant now, std::string_view public_url) {
    const auto header = request.header("authorization");
    if (!header.empty()) {
        const auto space = header.find(' ');
        const auto scheme = lower(header.substr(0, space));
        auto plain = space == std::string_view::npos ? std::string_view{} : header.substr(space + 1);
        while (plain.starts_with(' ')) plain.remove_prefix(1);
        if (scheme == "bearer" && !plain.empty() && plain.size() <= token_length_max) {
            if (const auto* entry = tokens.find(plain, now)) return Caller{entry->role, entry->user, entry->id};
        }
        if (route.reach == Reach::everyone) return Nobody{};
        if (route.reach == Reach::hosts) return unauthorised("the token is not known: it was revoked, or mistyped; an operator makes one with `berth host-token`");
        return unauthorised("the token is not known or is over; mint one with POST /v1/tokens, or use the one of `berth up`");
    }
    if (route.style != Style::compat) {
        const auto* session = tokens.find_session(session_of(request, public_url), now);
        const auto why_not = session ? why_cookie_is_not_meant(request, route, public_url) : std::nullopt;
        if (session && !why_not) return Caller{session->role, session->user, session->id};
        if (why_not && route.reach != Reach::everyone) return tricked(*why_not);
    }
    if (route.reach == Reach::everyone) return Nobody{};
    if (route.style == Style::compat && host_is_plain(request.header("host"))) {
        const auto* network = network_of(networks, request.remote);
        // Over plain HTTP browsers send neither Sec-Fetch-* nor, with an image, an Origin: any page could
        // send a visitor of that network here. Only its browser's name, which no page can change, tells.
        if (network && route.effect == Effect::changes && request.header("sec-fetch-site").empty() &&
            request.header("user-agent").find("Mozilla/") != std::string_view::npos) {
            return tricked("a browser needs a token to change something here; use the dashboard or the command line");
        }
        if (network) return Caller{TokenRole::operations, network->user, ""};
    }
    return unauthorised("a token is needed: send 'Authorization: Bearer …'; browsers sign in at /sign-in");
}

}  // namespace berth::gateway
