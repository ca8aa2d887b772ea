// SPDX-License-Identifier: Apache-2.0
#include "gateway/networks.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace berth::gateway {

std::optional<Address> parse_address(std::string text) {
    if (text.starts_with("::ffff:") && text.find('.') != std::string::npos) text.erase(0, 7);
    std::array<std::uint8_t, 16> raw{};
    if (::inet_pton(AF_INET, text.c_str(), raw.data()) == 1) return Address{false, {raw.begin(), raw.begin() + 4}};
    if (::inet_pton(AF_INET6, text.c_str(), raw.data()) == 1) return Address{true, {raw.begin(), raw.end()}};
    return std::nullopt;
}

std::optional<Network> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    auto first = parse_address(std::string{text.substr(0, slash)});
    if (!first) return std::nullopt;
    auto prefix = static_cast<unsigned>(first->bits.size() * 8);
    if (slash == std::string_view::npos) return Network{std::move(*first), prefix};
    const auto digits = text.substr(slash + 1);
    const auto longest = prefix;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (error != std::errc{} || stop != digits.data() + digits.size() || prefix > longest) return std::nullopt;
    return Network{std::move(*first), prefix};
}

bool Network::holds(const Address& address) const {
    if (address.v6 != first.v6) return false;
    for (unsigned bit = 0; bit < prefix; ++bit) {
        const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
        if ((address.bits[bit / 8] & mask) != (first.bits[bit / 8] & mask)) return false;
    }
    return true;
}

}  // namespace berth::gateway
