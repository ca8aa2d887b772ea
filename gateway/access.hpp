// SPDX-License-Identifier: Apache-2.0
// Who is calling, and whether a browser was tricked into it. A caller is proved by a bearer token, or, on
// /v1/ and the pages, by the session of a browser that was not tricked (session.hpp);
// the older routes also know callers by their network, where the operator says so. Nothing that
// changes state answers a caller who is not proved, a cross-site request or a prefetch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "gateway/http.hpp"
#include "gateway/problem.hpp"
#include "gateway/token_table.hpp"

namespace berth::gateway {

struct Caller {
    TokenRole role = TokenRole::user;
    UserId user;                          // of a user; a name for the ledger else
    std::string token_id;                 // or the session's; empty: known by network

    bool is_operator() const { return role == TokenRole::operations; }
    bool is_host() const { return role == TokenRole::host; }
    /// In whose name the bus is asked. Users and operators can not be taken for each other.
    Principal principal() const;
    bool may_act_for(const UserId& whom) const { return is_operator() || user == whom; }
};

/// "10.0.0.0/8=ci": callers from there are the service user ci, on the older routes.
struct TrustedNetwork {
    std::string network;                  // as written
    bool v6 = false;
    std::vector<std::uint8_t> bits;
    unsigned prefix = 0;
    UserId user;
};
Result<std::vector<TrustedNetwork>> read_networks(const std::vector<std::string>& from);
/// The network that this address lies in, the narrowest first; null when none.
const TrustedNetwork* network_of(const std::vector<TrustedNetwork>& networks, const std::string& address);

/// Refuses what a page of another site, or a browser's guess, could have caused. Pages of this gateway
/// come from its own address or from `public_url`.
std::optional<Problem> check_intent(const HttpRequest& request, const Route& route, std::string_view public_url = {});

/// The caller, nobody (on routes for everyone), or why not.
struct Nobody {};
using Identity = std::variant<Nobody, Caller, Problem>;
Identity identify(const HttpRequest& request, const Route& route, const TokenTable& tokens,
                  const std::vector<TrustedNetwork>& networks, Instant now, std::string_view public_url = {});

}  // namespace berth::gateway
