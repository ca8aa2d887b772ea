// SPDX-License-Identifier: Apache-2.0
#include "proxy/edge_way.hpp"

#include <fmt/format.h>

#include "proxy/names.hpp"

namespace berth::proxy {

namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

std::string answer(std::string_view status, std::string_view type, std::string_view body) {
    return fmt::format("HTTP/1.1 {}\r\nContent-Type: {}; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
                       "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
                       "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'\r\nConnection: close\r\n\r\n{}",
                       status, type, body.size(), body);
}

std::string_view words_of(unsigned status) {
    switch (status) {
        case 400: return "400 Bad Request";
        case 404: return "404 Not Found";
        case 502: return "502 Bad Gateway";
        default: return "503 Service Unavailable";
    }
}

}  // namespace

EdgeWay way_to(const View& view, const WorkspaceId& workspace) {
    const auto at = view.workspaces.find(workspace);
    if (at == view.workspaces.end() || at->second.state == WorkspaceState::destroyed) {
        return NoWay{404, "There is no workspace of this name."};
    }
    const auto host = view.hosts.find(at->second.host);
    if (host == view.hosts.end() || host->second.liveness == Liveness::gone) {
        return NoWay{404, fmt::format("The workspace {} is {}, and its last host is gone. Start it again.", workspace.value, to_string(at->second.state))};
    }
    const auto& on = host->second;
    if (on.proxy_port == 0 || on.proxy_port > 65'535) return NoWay{503, fmt::format("The host {} has no proxy.", on.host.value)};
    // A loopback address only tells the hosts of one machine apart; their proxies listen at the other one.
    const bool by_private = !on.private_ip.empty() && !on.private_ip.starts_with("127.");
    return EdgeTarget{by_private || on.public_ip.empty() ? on.private_ip : on.public_ip, static_cast<std::uint16_t>(on.proxy_port), on.host};
}

std::optional<std::string> host_in_head(std::string_view head) {
    const auto first = head.find("\r\n");
    if (first == std::string_view::npos || !head.substr(0, first).ends_with(" HTTP/1.1")) return std::nullopt;
    std::optional<std::string> host;
    for (auto rest = head.substr(first + 2); !rest.empty() && !rest.starts_with("\r\n");) {
        const auto end = rest.find("\r\n");
        const auto line = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 2);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || to_lower(line.substr(0, colon)) != "host") continue;
        if (host) return std::nullopt;
        host = trimmed(line.substr(colon + 1));
    }
    return host;
}

std::string proxy_line(const std::string& from, std::uint16_t from_port, const std::string& at, std::uint16_t at_port) {
    const bool v6 = from.find(':') != std::string::npos;
    return fmt::format("PROXY {} {} {} {} {}\r\n", v6 ? "TCP6" : "TCP4", from, at, from_port, at_port);
}

std::string answer_of(const NoWay& why) {
    return answer(words_of(why.status), "text/html",
                  fmt::format("<!doctype html><html lang=en><meta charset=utf-8><title>berth</title><body><h1>No way there</h1><p>{}</p></body></html>\n", why.text));
}

std::string health_answer() { return answer("200 OK", "application/json", "{\"status\":\"ok\"}\n"); }

}  // namespace berth::proxy
