// SPDX-License-Identifier: Apache-2.0
#include "gateway/target.hpp"

#include <algorithm>
#include <cctype>

namespace berth::gateway {

std::string lower(std::string_view text) {
    std::string out{text};
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

Target target_of(std::string_view target, std::string_view method) {
    if (target.starts_with('/')) return {std::string{target}, {}};
    if (target == "*" && method == "OPTIONS") return {"*", {}};
    const auto scheme = target.find("://");
    if (scheme == std::string_view::npos) return {};
    const auto name = lower(target.substr(0, scheme));
    if (name != "http" && name != "https") return {};
    const auto rest = target.substr(scheme + 3);
    const auto end = std::min(rest.find_first_of("/?#"), rest.size());
    auto authority = lower(rest.substr(0, end));
    if (authority.empty() || authority.find('@') != std::string::npos) return {};
    auto resource = std::string{rest.substr(end)};
    if (resource.empty()) resource.push_back(method == "OPTIONS" ? '*' : '/');
    if (resource.front() == '#') return {};
    if (resource.front() == '?') resource.insert(resource.begin(), '/');
    return {std::move(resource), std::move(authority)};
}

}  // namespace berth::gateway
