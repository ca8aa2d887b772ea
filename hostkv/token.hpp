// SPDX-License-Identifier: Apache-2.0
// Tokens of one host: a JWT (HS256 alone, whatever its header says), keyed with the host's own
// secret, for one audience (host + workspace + epoch) and one purpose (I26). The agent mints links,
// the proxy checks links and turns each, once, into a session.
#pragma once

#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace berth {

BERTH_ENUM(TokenPurpose, link, session)

struct TokenClaims {
    TokenPurpose purpose = TokenPurpose::link;
    HostId host;
    WorkspaceId workspace;
    Epoch epoch;
    UserId user;
    std::string id;               // unique; a link is used once by its id
    Instant expires_at;
    BERTH_FIELDS(TokenClaims, purpose, host, workspace, epoch, user, id, expires_at)
};

inline constexpr Duration link_lifetime{60'000};
inline constexpr Duration session_lifetime{12 * 3'600'000};

std::string mint_token(const TokenClaims& claims, std::string_view secret);
/// Checks algorithm, signature (constant time), purpose, host, and expiry at `now`; the caller
/// compares workspace and epoch with its route. Every refusal is ErrorKind::denied.
Result<TokenClaims> verify_token(std::string_view token, TokenPurpose purpose, const HostId& host,
                                 std::string_view secret, Instant now);

/// The same, whether it has expired or not: for whoever knows from elsewhere how long it is good.
Result<TokenClaims> read_token(std::string_view token, TokenPurpose purpose, const HostId& host,
                               std::string_view secret, Instant now);

}  // namespace berth
