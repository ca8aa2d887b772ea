// SPDX-License-Identifier: Apache-2.0
#include "gateway/front.hpp"

#include <algorithm>

namespace berth::gateway {

namespace {

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
    return text;
}

// "192.0.2.7", "192.0.2.7:4711", "[2001:db8::7]:4711", "2001:db8::7": some proxies write the port too.
std::string without_port(std::string_view text) {
    if (text.starts_with('[')) return std::string{text.substr(1, std::min(text.find(']'), text.size()) - 1)};
    const auto colon = text.find(':');
    const bool one = colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos;
    return std::string{one ? text.substr(0, colon) : text};
}

}  // namespace

Result<Front> Front::open(const FrontPolicy& policy) {
    Front front;
    for (const auto& text : policy.trusted_proxies) {
        auto network = parse_network(text);
        if (!network) return fail(ErrorKind::invalid, "front.trusted_proxies: '{}' is no network; the form is 127.0.0.1 or 10.0.0.0/8", text);
        front.proxies_.push_back(std::move(*network));
    }
    return front;
}

bool Front::trusts(const std::string& address) const {
    const auto parsed = parse_address(address);
    return parsed && std::any_of(proxies_.begin(), proxies_.end(), [&](const Network& network) { return network.holds(*parsed); });
}

std::string Front::client_of(const HttpRequest& request) const {
    auto client = request.remote;
    if (proxies_.empty() || !trusts(client)) return client;
    std::string chain;                        // several headers are one list
    for (const auto& [name, value] : request.headers) {
        if (name == "x-forwarded-for") chain += (chain.empty() ? "" : ",") + value;
    }
    std::string_view rest = chain;
    for (unsigned hop = 0; hop < front_hops_max && !rest.empty() && trusts(client); ++hop) {
        const auto comma = rest.rfind(',');
        const auto said = without_port(trimmed(comma == std::string_view::npos ? rest : rest.substr(comma + 1)));
        if (!parse_address(said)) break;
        client = said;
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(0, comma);
    }
    return client;
}

}  // namespace berth::gateway
