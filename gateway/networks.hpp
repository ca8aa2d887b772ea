// SPDX-License-Identifier: Apache-2.0
// Addresses and networks of addresses, as people write them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::gateway {

struct Address {
    bool v6 = false;                      // an IPv4 address written as IPv6 is IPv4
    std::vector<std::uint8_t> bits;

    bool operator==(const Address&) const = default;
};

struct Network {
    Address first;
    unsigned prefix = 0;

    bool holds(const Address& address) const;
    bool operator==(const Network&) const = default;
};

std::optional<Address> parse_address(std::string text);
/// "10.0.0.0/8"; an address alone is a network of one.
std::optional<Network> parse_network(std::string_view text);

}  // namespace berth::gateway
