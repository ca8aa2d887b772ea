// SPDX-License-Identifier: Apache-2.0
#include "aws/xml.hpp"

#include <charconv>
#include <cstring>

namespace berth::aws {

std::string text_of(Node node, const char* path) { return node.first_element_by_path(path).text().get(); }

bool flag_of(Node node, const char* path) { return text_of(node, path) == "true"; }

std::int64_t number_of(Node node, const char* path, std::int64_t otherwise) {
    const auto text = text_of(node, path);
    std::int64_t number = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
    return bad == std::errc{} && end == text.data() + text.size() && !text.empty() ? number : otherwise;
}

std::optional<Instant> time_of(Node node, const char* path) {
    const auto at = from_rfc3339(text_of(node, path));
    return at ? std::optional{*at} : std::nullopt;
}

std::vector<Node> list_of(Node node, const char* path) {
    std::vector<Node> found;
    for (const auto child : node.first_element_by_path(path).children()) {
        if (std::strcmp(child.name(), "member") == 0 || std::strcmp(child.name(), "item") == 0) found.push_back(child);
    }
    return found;
}

}  // namespace berth::aws
