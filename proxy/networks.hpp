// SPDX-License-Identifier: Apache-2.0
// Networks that are named in the configuration: "10.0.0.0/8", "fd00::/8", or one address.
#pragma once

#include "proxy/net.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace berth::proxy {

class Networks {
public:
    Networks() = default;
    /// `invalid` names `key` and the text that is no network.
    static Result<Networks> parse(const std::vector<std::string>& texts, std::string_view key);
    bool hold(const net::ip::address& address) const;

private:
    struct One {
        net::ip::address first;
        unsigned bits;
    };
    std::vector<One> all_;
};

}  // namespace berth::proxy
