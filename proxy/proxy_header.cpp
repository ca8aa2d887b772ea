// SPDX-License-Identifier: Apache-2.0
#include "proxy/proxy_header.hpp"

#include <arpa/inet.h>

#include <array>
#include <vector>

namespace berth::proxy {

namespace {

constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::string_view unknown = "unknown";

unsigned byte_at(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

std::string text_of(int family, const char* bytes) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    return ::inet_ntop(family, bytes, text.data(), text.size()) == nullptr ? std::string{unknown} : std::string{text.data()};
}

bool is_address(int family, const std::string& text) {
    std::array<unsigned char, 16> bytes{};
    return ::inet_pton(family, text.c_str(), bytes.data()) == 1;
}

bool is_port(std::string_view text) {
    if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != std::string_view::npos) return false;
    unsigned port = 0;
    for (const char digit : text) port = 10 * port + static_cast<unsigned>(digit - '0');
    return port <= 65'535;
}

}  // namespace

ProxyVersion proxy_version(std::string_view first) {
    if (first == signature) return ProxyVersion::binary;
    return first.starts_with("PROXY ") ? ProxyVersion::line : ProxyVersion::none;
}

std::optional<std::size_t> proxy_header_rest(std::string_view fixed) {
    if (fixed.size() != proxy_header_fixed || !fixed.starts_with(signature)) return std::nullopt;
    if (byte_at(fixed, 12) >> 4 != 2 || (byte_at(fixed, 12) & 0x0f) > 1) return std::nullopt;
    return (byte_at(fixed, 14) << 8) | byte_at(fixed, 15);
}

std::optional<std::string> browser_in_line(std::string_view line) {
    std::vector<std::string> words;
    for (;;) {
        const auto space = line.find(' ');
        words.emplace_back(line.substr(0, space));
        if (space == std::string_view::npos) break;
        line.remove_prefix(space + 1);
    }
    if (words.size() < 2 || words[0] != "PROXY") return std::nullopt;
    if (words[1] == "UNKNOWN") return std::string{unknown};
    if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) return std::nullopt;
    const int family = words[1] == "TCP4" ? AF_INET : AF_INET6;
    if (!is_address(family, words[2]) || !is_address(family, words[3])) return std::nullopt;
    if (!is_port(words[4]) || !is_port(words[5])) return std::nullopt;
    return words[2];
}

std::optional<std::string> browser_in_binary(std::string_view fixed, std::string_view rest) {
    if (proxy_header_rest(fixed) != rest.size()) return std::nullopt;
    constexpr unsigned local = 0;
    constexpr std::size_t ipv4_bytes = 12;
    constexpr std::size_t ipv6_bytes = 36;
    const auto family = byte_at(fixed, 13) >> 4;
    if ((byte_at(fixed, 12) & 0x0f) == local || family == 0 || family == 3) return std::string{unknown};
    if (family == 1 && rest.size() >= ipv4_bytes) return text_of(AF_INET, rest.data());
    if (family == 2 && rest.size() >= ipv6_bytes) return text_of(AF_INET6, rest.data());
    return std::nullopt;
}

}  // namespace berth::proxy
