// SPDX-License-Identifier: Apache-2.0
// A front proxy before the gateway: whose word about a client's address is believed. Everyone may write
// X-Forwarded-For; each proxy appends whom it heard. So it is read from its end, for as long as the one who wrote an
// entry is trusted: the first address that is no trusted proxy's is the client's. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "gateway/front_policy.hpp"
#include "gateway/http.hpp"
#include "gateway/networks.hpp"

namespace berth::gateway {

inline constexpr unsigned front_hops_max = 16;    // proxies in a row; the last one that is believed counts as the client

class Front {
public:
    static Result<Front> open(const FrontPolicy& policy);
    /// Whom `request` comes from: its peer, or whom trusted proxies name.
    std::string client_of(const HttpRequest& request) const;

private:
    bool trusts(const std::string& address) const;
    std::vector<Network> proxies_;
};

}  // namespace berth::gateway
