// SPDX-License-Identifier: Apache-2.0
// A compact JWS, judged by the public keys of who issues it: RS256 and ES256, and nothing else. A token names its key;
// the key's own kind says which algorithm counts, whatever the token says (no "none", no HMAC with a public key).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace berth::gateway {

/// Nothing of it is kept but what checks a signature.
struct PublicKey {
    std::string kid;                      // may be empty
    std::string alg;                      // "RS256" or "ES256"
    std::shared_ptr<void> key;            // an EVP_PKEY
};

inline constexpr std::size_t keys_max = 64;
inline constexpr std::size_t jws_bytes_max = 32 * 1024;

/// Of a JWK Set (RFC 7517); keys of other kinds or for other uses are passed over, bad ones too.
Result<std::vector<PublicKey>> read_jwks(std::string_view json);

/// The payload, once its signature is good. `not_found`: none of these keys is the one that it names.
Result<std::string> verify_jws(std::string_view token, const std::vector<PublicKey>& keys);

/// RFC 4648, 5, without padding; an error for anything else.
Result<std::string> from_base64url(std::string_view text);
std::string to_base64url(std::string_view bytes);
std::string to_base64(std::string_view bytes);

}  // namespace berth::gateway
