// SPDX-License-Identifier: Apache-2.0
#include "events/topic.hpp"

namespace berth {

namespace {

bool is_word(std::string_view text) {
    if (text.empty()) return false;
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '-' && c != '_') return false;
    }
    return true;
}

}  // namespace

std::optional<Topic> parse_topic(std::string_view text) {
    const auto first = text.find('.');
    if (first == std::string_view::npos || !text.ends_with('.')) return std::nullopt;
    const auto second = text.find('.', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    if (!is_word(text.substr(0, first)) || !is_word(text.substr(first + 1, second - first - 1))) return std::nullopt;
    if (second + 1 == text.size()) return Topic{std::string{text.substr(0, second)}, {}};
    const auto key = text.substr(second + 1, text.size() - second - 2);
    if (!is_word(key)) return std::nullopt;
    return Topic{std::string{text.substr(0, second)}, std::string{key}};
}

std::string service_of(std::string_view name, std::string_view key) {
    const std::string service{name.substr(0, name.find('.'))};
    return key.empty() ? service : service + "." + std::string{key};
}

}  // namespace berth
