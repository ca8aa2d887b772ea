// SPDX-License-Identifier: Apache-2.0
// Signature Version 4, pure: the same request, keys and second give the same signature. A request is
// signed as it goes over the wire, so the path and the query are given encoded; the query is sorted
// here, whatever order it has. What a caller adds to the request afterwards is not signed.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::aws {

struct Credentials {
    std::string access_key;
    std::string secret_key;               // never shown, nor is the token (I30)
    std::string session_token;            // empty: keys that do not expire
    std::optional<Instant> expires_at;
    std::string origin;                   // "environment", "profile work in /root/.aws/credentials", …
    BERTH_FIELDS(Credentials, access_key, secret_key, session_token, expires_at, origin)
};

using Header = std::pair<std::string, std::string>;

struct Signable {
    std::string method = "POST";
    std::string host;                     // with the port, when it is not the scheme's own
    std::string path = "/";               // encoded
    std::string query;                    // encoded: "a=1&b=%20"; without the '?'
    std::vector<Header> headers;          // that are to be signed, beside host, date and token
    std::string body;
};

struct Scope {
    std::string region;
    std::string service;                  // the signing name: "autoscaling", "ec2", "sts"
    Instant at;
};

/// What has to be sent with the request: X-Amz-Date, X-Amz-Security-Token (when there is one), Authorization.
std::vector<Header> sign(const Signable& request, const Scope& scope, const Credentials& who);

/// The query that proves the request by itself, the request's own parameters included; it holds until
/// `lasts` after the scope's time. `lasts` is at most seven days, which AWS takes.
std::string presign(const Signable& request, const Scope& scope, const Credentials& who, std::chrono::seconds lasts);

/// RFC 3986: all but letters, digits and "-_.~" is percent-encoded.
std::string encoded(std::string_view text);

/// "20150830T123600Z".
std::string to_amz_date(Instant at);

}  // namespace berth::aws
