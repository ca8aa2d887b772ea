// SPDX-License-Identifier: Apache-2.0
#include "proxy/outward.hpp"

#include <fmt/format.h>

#include "proxy/names.hpp"

namespace berth::proxy {

namespace {

/// The one value of a field that a front proxy sets; empty when it set none.
Judged<std::string_view> one_value(const std::vector<std::string_view>& values) {
    if (values.empty()) return std::string_view{};
    if (values.size() > 1 || values.front().find_first_of(", \t") != std::string_view::npos) {
        return tl::make_unexpected(Refusal::malformed);
    }
    return values.front();
}

std::optional<WorkspaceId> workspace_at(const Inward& here, std::string_view host) {
    auto workspace = workspace_of(host, here.apps_domain);
    if (!workspace && !here.public_domain.empty()) workspace = workspace_of(host, here.public_domain);
    return workspace;
}

std::string public_host(const Inward& here, const Outward& seen) {
    const auto& domain = here.public_domain.empty() ? here.apps_domain : here.public_domain;
    const auto colon = seen.host.find(':');
    const auto own_port = colon == std::string::npos ? std::string{} : seen.host.substr(colon);
    const bool usual = here.public_port == (seen.scheme == "https" ? 443U : 80U);
    const auto port = here.public_port == 0 ? own_port : usual ? "" : fmt::format(":{}", here.public_port);
    return fmt::format("{}.{}{}", seen.workspace->value, domain, port);
}

}  // namespace

Judged<Outward> outward_of(const Inward& here, const Called& called) {
    Outward seen{.scheme = here.scheme, .host = std::string{called.host}};
    if (called.by_front_proxy) {
        const auto host = one_value(called.forwarded_host);
        const auto scheme = one_value(called.forwarded_scheme);
        if (!host || !scheme) return tl::make_unexpected(Refusal::malformed);
        if (!host->empty()) seen.host = *host;
        if (!scheme->empty()) seen.scheme = to_lower(*scheme);
        if (seen.scheme != "http" && seen.scheme != "https") return tl::make_unexpected(Refusal::malformed);
    }
    seen.workspace = workspace_at(here, seen.host);
    const bool has_public = !here.public_domain.empty() || here.public_port != 0;
    // Past the front proxy one comes by a port of ours, which has to be named.
    const bool direct = called.origin && seen.host.find(':') != std::string::npos &&
                        same_origin(*called.origin, seen.scheme, seen.host);
    if (seen.workspace && has_public && !direct) seen.host = public_host(here, seen);
    return seen;
}

}  // namespace berth::proxy
