// SPDX-License-Identifier: Apache-2.0
#include "proxy/networks.hpp"

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <charconv>

namespace berth::proxy {

namespace {

/// A socket that listens for both families shows IPv4 as ::ffff:a.b.c.d.
net::ip::address unmapped(const net::ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return net::ip::make_address_v4(net::ip::v4_mapped, address.to_v6());
    }
    return address;
}

net::ip::address first_of(const net::ip::address& address, unsigned bits) {
    if (address.is_v4()) return net::ip::network_v4(address.to_v4(), static_cast<unsigned short>(bits)).network();
    return net::ip::network_v6(address.to_v6(), static_cast<unsigned short>(bits)).network();
}

}  // namespace

Result<Networks> Networks::parse(const std::vector<std::string>& texts, std::string_view key) {
    Networks networks;
    for (const auto& text : texts) {
        const auto slash = text.find('/');
        ErrorCode error;
        const auto address = net::ip::make_address(text.substr(0, slash), error);
        unsigned bits = !error && address.is_v6() ? 128 : 32;
        if (!error && slash != std::string::npos) {
            unsigned said = 0;
            const auto* end = text.data() + text.size();
            const auto read = std::from_chars(text.data() + slash + 1, end, said);
            if (read.ec != std::errc{} || read.ptr != end || said > bits) error = net::error::invalid_argument;
            bits = said;
        }
        if (error) {
            return fail(ErrorKind::invalid, "{}: '{}' is no network; the form is 10.0.0.0/8, fd00::/8 or one address",
                        key, text);
        }
        networks.all_.push_back({first_of(address, bits), bits});
    }
    return networks;
}

bool Networks::hold(const net::ip::address& address) const {
    const auto asked = unmapped(address);
    for (const auto& one : all_) {
        if (one.first.is_v4() == asked.is_v4() && first_of(asked, one.bits) == one.first) return true;
    }
    return false;
}

}  // namespace berth::proxy
