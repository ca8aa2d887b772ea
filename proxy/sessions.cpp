// SPDX-License-Identifier: Apache-2.0
#include "proxy/sessions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "proxy/policy.hpp"

namespace berth::proxy {

void Sessions::use(const std::string& id, Instant now) {
    if (const auto known = used_.find(id); known != used_.end()) {
        known->second = std::max(known->second, now);
        return;
    }
    if (used_.size() >= sessions_max) {
        used_.erase(std::min_element(used_.begin(), used_.end(),
                                     [](const auto& one, const auto& other) { return one.second < other.second; }));
    }
    used_.emplace(id, now);
}

Instant Sessions::end_of(const TokenClaims& session) const {
    const auto known = used_.find(session.id);
    return known == used_.end() ? session.expires_at : std::max(session.expires_at, known->second + lifetime_);
}

bool Sessions::is_old(const TokenClaims& session, Instant now) const {
    return session.expires_at - now < lifetime_ / 2;
}

void Sessions::forget_ended(Instant now) {
    std::erase_if(used_, [&](const auto& one) { return now - one.second > lifetime_; });
}

std::string Sessions::text() const {
    std::string lines;
    for (const auto& [id, at] : used_) lines += fmt::format("{} {}\n", id, at.time_since_epoch().count());
    return lines;
}

void Sessions::read(std::string_view text) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const auto space = line.find(' ');
        if (space == std::string_view::npos || space == 0) continue;
        std::int64_t at_ms = 0;
        const auto* last = line.data() + line.size();
        const auto got = std::from_chars(line.data() + space + 1, last, at_ms);
        if (got.ec == std::errc{} && got.ptr == last) use(std::string{line.substr(0, space)}, Instant{Duration{at_ms}});
    }
}

}  // namespace berth::proxy
