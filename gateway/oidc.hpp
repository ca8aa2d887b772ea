// SPDX-License-Identifier: Apache-2.0
// Signing in by OpenID Connect, as decisions: authorization code with PKCE (OpenID Connect Core 1.0, RFC 7636, RFC 9207).
// Pure; oidc_client.* speaks with the issuer.
//
//   asked ─► attempt (state, nonce, verifier; this browser's; once, attempt_max) ─► at the issuer
//     at the issuer ─(code + state, in this browser)─► code exchanged ─► id_token judged ─► *signed in
//                   └─(wrong, late, replayed, refused)─────────────────────────────────────► *told why
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "gateway/jws.hpp"
#include "gateway/policy.hpp"
#include "gateway/token_table.hpp"

namespace berth::gateway {

/// A setting that no sign-in could ever work with.
Result<void> check_oidc(const OidcPolicy& policy);
/// What stands on the button.
std::string provider_name(const OidcPolicy& policy);

/// What the issuer says of itself, as far as it is used.
struct Discovery {
    std::string authorization_endpoint;
    std::string token_endpoint;
    std::string jwks_uri;
    std::string userinfo_endpoint;        // may be empty
    bool takes_basic = true;              // the client's secret as Authorization, else in the body
    bool names_itself = false;            // its answers carry 'iss' (RFC 9207)
};
std::string discovery_url(const OidcPolicy& policy);
Result<Discovery> read_discovery(const OidcPolicy& policy, std::string_view json);

/// One sign-in under way.
struct Attempt {
    std::string state;
    std::string nonce;
    std::string verifier;                 // of PKCE
    std::string browser;                  // what its cookie says: nobody ends a sign-in that another began
    std::string to;
    std::string redirect_uri;
    Instant ends_at;
};
inline constexpr std::size_t attempts_max = 4'096;   // of more the oldest is forgotten

class Attempts {
public:
    void begin(Attempt attempt, Instant now);
    /// It is over by that, whoever asks.
    std::optional<Attempt> take(const std::string& state, Instant now);
    std::size_t size() const { return all_.size(); }

private:
    std::map<std::string, Attempt> all_;
};

std::string authorization_url(const OidcPolicy& policy, const Discovery& discovery, const Attempt& attempt);
/// For the token endpoint: application/x-www-form-urlencoded, and "Authorization: Basic …" unless it stands in the body.
struct Exchange {
    std::string body;
    std::string authorization;
};
Exchange exchange_of(const OidcPolicy& policy, const Discovery& discovery, const Attempt& attempt, std::string_view code, std::string_view secret);
struct Tokens {
    std::string id;
    std::string access;                   // for userinfo alone
};
Result<Tokens> tokens_of(std::string_view json);

/// What came back with the browser.
struct Returned {
    std::string code;
    std::string state;
    std::string issuer;                   // 'iss'
    std::string error;
    std::string error_text;
    std::string browser;                  // its cookie
};
/// Why that is no answer to this attempt.
std::optional<Error> why_not_returned(const OidcPolicy& policy, const Discovery& discovery, const Attempt& attempt, const Returned& returned);

struct Person {
    UserId user;
    TokenRole role = TokenRole::user;
    friend bool operator==(const Person&, const Person&) = default;
};
/// The claims of the id_token (JSON), once signature, issuer, audience, time and nonce are right. `not_found`: the key that
/// signed it is not among these; the issuer may have a new one.
Result<std::string> claims_of(const OidcPolicy& policy, std::string_view id_token, const std::vector<PublicKey>& keys, const Attempt& attempt, Instant now);
/// The issuer says more of a person at its userinfo endpoint, and we need it.
bool lacks_claims(const OidcPolicy& policy, std::string_view claims);
/// Who it is, if the groups allow it. `userinfo` adds to the claims when it is of the same subject; it may be empty.
Result<Person> person_of(const OidcPolicy& policy, std::string_view claims, std::string_view userinfo);

}  // namespace berth::gateway
