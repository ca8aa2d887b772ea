// SPDX-License-Identifier: Apache-2.0
#include "proxy/names.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace berth::proxy {

namespace {

char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Cuts `host` into name and port; nullopt when the port is no number.
std::optional<std::string_view> name_without_port(std::string_view host) {
    const auto colon = host.find(':');
    if (colon == std::string_view::npos) return host;
    const auto port = host.substr(colon + 1);
    const bool number = !port.empty() && port.size() <= 5 &&
                        std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!number) return std::nullopt;
    return host.substr(0, colon);
}

template <class Visit>
void each_part(std::string_view text, Visit&& visit) {
    for (;;) {
        const auto end = text.find(';');
        const auto part = trim(text.substr(0, end));
        if (!part.empty()) visit(part);
        if (end == std::string_view::npos) return;
        text.remove_prefix(end + 1);
    }
}

bool is_ours(std::string_view cookie) {
    // A browser sends a nameless cookie as its value alone, which then reads like a named one.
    while (!cookie.empty() && (cookie.front() == '=' || cookie.front() == ' ' || cookie.front() == '\t')) {
        cookie.remove_prefix(1);
    }
    const auto name = to_lower(trim(cookie.substr(0, cookie.find('='))));
    return name.starts_with(to_lower(secure_cookie)) || name.starts_with(plain_cookie);
}

std::string_view name_of(std::string_view cookie) {
    const auto equals = cookie.find('=');
    return equals == std::string_view::npos ? std::string_view{} : trim(cookie.substr(0, equals));
}

bool is_editors(std::string_view name) { return name.starts_with("vscode-") || name.starts_with("code-server"); }

}  // namespace

std::string to_lower(std::string_view text) {
    std::string result{text};
    std::transform(result.begin(), result.end(), result.begin(), lower);
    return result;
}

bool is_plain_url(std::string_view text) {
    if (!text.starts_with("http://") && !text.starts_with("https://")) return false;
    return std::all_of(text.begin(), text.end(), [](char letter) {
        return letter > ' ' && letter < '\x7f' && std::string_view{"\"'<>\\`{}#?&"}.find(letter) == std::string_view::npos;
    });
}

std::optional<WorkspaceId> workspace_of(std::string_view host, std::string_view apps_domain) {
    const auto named = name_without_port(host);
    if (!named) return std::nullopt;
    const auto name = to_lower(*named);
    const auto tail = "." + std::string{apps_domain};
    if (!name.ends_with(tail)) return std::nullopt;
    const auto label = name.substr(0, name.size() - tail.size());
    if (!is_dns_label(label) || label.back() == '-') return std::nullopt;
    return WorkspaceId{label};
}

std::optional<std::string_view> path_of(std::string_view target, std::string_view host) {
    if (target.starts_with('/')) return target;
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (to_lower(target.substr(0, scheme.size())) != scheme) continue;
        const auto rest = target.substr(scheme.size());
        const auto slash = rest.find('/');
        if (slash == std::string_view::npos) return std::nullopt;   // "http://host?x" too: no path to forward
        if (host.empty() || to_lower(rest.substr(0, slash)) != to_lower(host)) return std::nullopt;
        return rest.substr(slash);
    }
    return std::nullopt;
}

bool same_origin(std::string_view origin, std::string_view scheme, std::string_view host) {
    return !host.empty() && origin == fmt::format("{}://{}", scheme, to_lower(host));
}

std::string cookie_name(std::string_view scheme, const WorkspaceId& workspace, Apart apart) {
    if (scheme != "https") return std::string{plain_cookie} + workspace.value;
    return apart == Apart::by_name ? std::string{secure_cookie} : fmt::format("{}-{}", secure_cookie, workspace.value);
}

std::string set_cookie(std::string_view name, std::string_view token, Duration lifetime) {
    return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{}", name, token,
                       lifetime.count() / 1000, name.starts_with(secure_cookie) ? "; Secure" : "");
}

std::vector<std::string> cookie_values(const std::vector<std::string_view>& fields, std::string_view name) {
    std::vector<std::string> values;
    for (const auto field : fields) {
        each_part(field, [&](std::string_view part) {
            const auto equals = part.find('=');
            if (equals == std::string_view::npos || trim(part.substr(0, equals)) != name) return;
            if (values.size() < cookies_tried_max) values.emplace_back(trim(part.substr(equals + 1)));
        });
    }
    return values;
}

std::string without_our_cookies(const std::vector<std::string_view>& fields) {
    std::string kept;
    for (const auto field : fields) {
        each_part(field, [&](std::string_view part) {
            if (is_ours(part)) return;
            if (!kept.empty()) kept += "; ";
            kept += part;
        });
    }
    return kept;
}

std::string_view preview_root(std::string_view path) {
    for (const std::string_view prefix : {"/proxy/", "/absproxy/"}) {
        if (!path.starts_with(prefix)) continue;
        auto end = prefix.size();
        while (end < path.size() && path[end] >= '0' && path[end] <= '9') ++end;
        const bool ends = end == path.size() || path[end] == '/' || path[end] == '?';
        if (end > prefix.size() && end <= prefix.size() + 5 && ends) return path.substr(0, end);
    }
    return {};
}

std::optional<std::string> cookies_to_pass(const std::vector<std::string_view>& fields, std::string_view path,
                                           std::size_t bytes_max) {
    auto all = without_our_cookies(fields);
    if (all.size() <= bytes_max) return all;
    if (!preview_root(path).empty()) return std::nullopt;
    std::string kept;
    each_part(all, [&](std::string_view part) {
        if (!is_editors(name_of(part)) || kept.size() + part.size() + 2 > bytes_max) return;
        if (!kept.empty()) kept += "; ";
        kept += part;
    });
    return kept;
}

std::vector<std::string> foreign_cookie_names(const std::vector<std::string_view>& fields, std::size_t names_max) {
    std::vector<std::string> names;
    for (const auto field : fields) {
        each_part(field, [&](std::string_view part) {
            const auto name = name_of(part);
            const bool foreign = !name.empty() && !is_ours(part) && !is_editors(name);
            if (!foreign || names.size() >= names_max) return;
            if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
        });
    }
    return names;
}

std::vector<std::string> ended_cookies(std::string_view name, std::string_view host, std::string_view root) {
    const auto colon = host.find(':');
    const auto domain = host.substr(0, colon);
    const auto dot = domain.find('.');
    std::vector<std::string> paths{"/"};
    if (!root.empty()) paths.insert(paths.end(), {std::string{root}, fmt::format("{}/", root)});
    std::vector<std::string> domains{"", fmt::format("; Domain={}", domain)};
    if (dot != std::string_view::npos) domains.push_back(fmt::format("; Domain={}", domain.substr(dot + 1)));
    const auto* secure = name.starts_with("__") ? "; Secure" : "";   // __Host- and __Secure- are not ended otherwise
    std::vector<std::string> ended;
    for (const auto& path : paths) {
        for (const auto& where : domains) ended.push_back(fmt::format("{}=; Path={}; Max-Age=0{}{}", name, path, where, secure));
    }
    return ended;
}

bool may_set_cookie(std::string_view field) {
    bool allowed = true;
    bool first = true;
    each_part(field, [&](std::string_view part) {
        if (first) allowed = allowed && !is_ours(part);
        if (!first && to_lower(trim(part.substr(0, part.find('=')))) == "domain") allowed = false;
        first = false;
    });
    return allowed;
}

}  // namespace berth::proxy
