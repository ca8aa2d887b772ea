// SPDX-License-Identifier: Apache-2.0
#include "proxy/headers.hpp"

#include <algorithm>
#include <array>

#include "proxy/names.hpp"

namespace berth::proxy {

namespace {

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }
boost::beast::string_view view(std::string_view text) { return {text.data(), text.size()}; }

std::string normal(std::string_view name) {
    auto result = to_lower(name);
    std::replace(result.begin(), result.end(), '_', '-');
    return result;
}

constexpr std::array<std::string_view, 11> of_one_connection{
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te",
    "trailer", "transfer-encoding", "upgrade", "http2-settings", "content-length"};

/// What a proxy in front of a server, and never a browser, says of who asks and what for.
constexpr std::array<std::string_view, 21> of_a_proxy{
    "forwarded", "via", "proxy", "x-real-ip", "x-client-ip", "client-ip", "true-client-ip",
    "x-cluster-client-ip", "cf-connecting-ip", "fastly-client-ip", "x-original-url", "x-original-host",
    "x-original-uri", "x-original-method", "x-rewrite-url", "x-host", "x-http-method-override", "x-remote-user",
    "remote-user", "x-forwarded", "forwarded-for"};
constexpr std::array<std::string_view, 4> proxy_prefixes{"x-forwarded-", "x-berth-", "x-auth-request-",
                                                         "x-amzn-oidc-"};

bool is_any_of(std::string_view name, const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

template <class Visit>
void each_token(std::string_view list, Visit&& visit) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        auto part = list.substr(0, comma);
        while (!part.empty() && (part.front() == ' ' || part.front() == '\t')) part.remove_prefix(1);
        while (!part.empty() && (part.back() == ' ' || part.back() == '\t')) part.remove_suffix(1);
        if (!part.empty()) visit(part);
        if (comma == std::string_view::npos) return;
        list.remove_prefix(comma + 1);
    }
}

std::vector<std::string> named_by_connection(const http::fields& fields) {
    std::vector<std::string> names;
    for (const auto value : values_of(fields, "Connection")) {
        each_token(value, [&](std::string_view token) { names.push_back(normal(token)); });
    }
    return names;
}

}  // namespace

bool is_refused_request_field(std::string_view name) {
    const auto known = normal(name);
    if (is_any_of(known, of_one_connection) || is_any_of(known, of_a_proxy)) return true;
    return std::any_of(proxy_prefixes.begin(), proxy_prefixes.end(),
                       [&](std::string_view prefix) { return known.starts_with(prefix); });
}

std::vector<std::string_view> values_of(const http::fields& fields, std::string_view name) {
    std::vector<std::string_view> values;
    const auto [first, last] = fields.equal_range(view(name));
    for (auto at = first; at != last; ++at) values.push_back(view(at->value()));
    return values;
}

bool has_token(const http::fields& fields, std::string_view name, std::string_view token) {
    bool found = false;
    for (const auto value : values_of(fields, name)) {
        each_token(value, [&](std::string_view part) { found = found || to_lower(part) == token; });
    }
    return found;
}

bool is_websocket(const RequestHead& request, bool has_body) {
    const auto upgrade = values_of(request, "Upgrade");
    return request.method() == http::verb::get && request.version() == 11 && !has_body && upgrade.size() == 1 &&
           to_lower(upgrade.front()) == "websocket" && has_token(request, "Connection", "upgrade");
}

RequestHead request_for_container(const RequestHead& from, const Outside& outside, bool chunked) {
    RequestHead to;
    to.version(11);
    to.method_string(from.method_string());
    to.target(view(outside.path));
    to.set(http::field::host, view(outside.host));
    const auto dropped = named_by_connection(from);
    for (const auto& field : from) {
        const auto name = view(field.name_string());
        const auto known = normal(name);
        if (known == "host" || known == "cookie" || is_refused_request_field(name) ||
            is_any_of(known, dropped)) {
            continue;
        }
        to.insert(field.name_string(), field.value());
    }
    if (!outside.cookies.empty()) to.set(http::field::cookie, view(outside.cookies));
    if (chunked) {
        to.chunked(true);
    } else if (const auto length = values_of(from, "Content-Length"); !length.empty()) {
        to.set(http::field::content_length, view(length.front()));
    }
    to.set("X-Forwarded-Host", view(outside.host));
    to.set("X-Forwarded-Proto", view(outside.scheme));
    if (outside.websocket) {
        to.set(http::field::connection, "Upgrade");
        to.set(http::field::upgrade, "websocket");
    }
    return to;
}

ResponseHead response_for_browser(const ResponseHead& from, const Framing& framing) {
    ResponseHead to;
    to.version(11);
    to.result(from.result_int());
    to.reason(from.reason());
    const auto dropped = named_by_connection(from);
    for (const auto& field : from) {
        const auto known = normal(view(field.name_string()));
        if (is_any_of(known, of_one_connection) || is_any_of(known, dropped)) continue;
        if (known == "alt-svc" || known == "clear-site-data" || known.starts_with("x-berth-")) continue;
        if (known == "set-cookie" && !may_set_cookie(view(field.value()))) continue;
        to.insert(field.name_string(), field.value());
    }
    if (framing.upgrade) {
        to.set(http::field::connection, "Upgrade");
        to.set(http::field::upgrade, "websocket");
    } else if (framing.chunked) {
        to.chunked(true);
    } else if (framing.length) {
        to.content_length(*framing.length);
    }
    return to;
}

}  // namespace berth::proxy
