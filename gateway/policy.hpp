// SPDX-License-Identifier: Apache-2.0
// Every number that the gateway lives by: [gateway] and [compat] in the configuration.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::gateway {

struct Policy {
    std::string listen_address = "127.0.0.1";
    std::uint32_t port = 9092;             // 0: any free one
    std::string public_url;                // how others reach it, by itself or through a front proxy: its pages may ask too
    std::string tls_certificate;           // PEM chain of that name; empty: plain HTTP
    std::string tls_key;                   // both are read again when they change
    bool metrics_open = true;              // /metrics without a token: no names or ids stand in it
    Duration claim_wait{120'000};          // when a claim names none
    Duration claim_wait_max{900'000};
    Duration request_timeout{15'000};      // of what the bus is asked, beside claims
    Duration catch_up{1'000};              // how long an answer waits for the facts it caused
    std::uint32_t connections_max = 512;
    std::uint32_t streams_max = 128;       // event streams among them
    std::uint32_t streams_per_caller_max = 32;
    std::uint32_t page_default = 200;      // items of a listing
    std::uint32_t page_max = 1'000;
    std::uint32_t header_bytes_max = 16 * 1024;
    std::uint32_t headers_max = 100;
    std::uint32_t body_bytes_max = 64 * 1024;
    std::uint32_t body_depth_max = 8;
    Duration read_timeout{15'000};         // of one whole request, from its first byte
    Duration idle_timeout{60'000};         // between two requests of a connection
    Duration write_timeout{30'000};
    Duration stream_heartbeat{15'000};     // a comment that keeps proxies from cutting a quiet stream
    std::uint32_t stream_queue_bytes_max = 1024 * 1024;  // then the stream is cut, and told so
    std::uint32_t replay_page = 200;       // facts asked for at once while a stream catches up
    Duration host_clock_off_max{10'000};   // of a machine that enrols; the broker allows hosts no more (clock_skew_max)
    Duration reach_every{30'000};          // each enrolled host's proxy is tried so often, as a browser would
    Duration reach_timeout{3'000};
    Duration inside_every{5'000};          // the other processes of this machine are asked what they say of themselves
    Duration session_unused_max{12 * 3'600'000};           // a browser is signed out when it was not used for so long …
    Duration session_length_max{7 * 24 * 3'600'000LL};     // … and after so long in any case
    std::uint32_t sessions_per_user_max = 32;              // of more the one that ends first gives way
    Duration invite_ttl{24 * 3'600'000};                   // of a sign-in link that names no other
    Duration login_max{600'000};                           // from `berth login` to the word of a browser
    Duration login_ttl{30 * 24 * 3'600'000LL};             // of the token that it gets

    BERTH_FIELDS(Policy, listen_address, port, public_url, tls_certificate, tls_key, metrics_open, claim_wait, claim_wait_max, request_timeout,
                 catch_up, connections_max, streams_max, streams_per_caller_max, page_default, page_max,
                 header_bytes_max, headers_max, body_bytes_max, body_depth_max, read_timeout, idle_timeout,
                 write_timeout, stream_heartbeat, stream_queue_bytes_max, replay_page, host_clock_off_max, reach_every, reach_timeout, inside_every,
                 session_unused_max, session_length_max, sessions_per_user_max, invite_ttl, login_max, login_ttl)
};

/// Signing in by OpenID Connect.
struct OidcPolicy {
    std::string issuer;                    // "https://id.example.org": empty, and people come by sign-in links and tokens alone
    std::string client_id;
    std::string client_secret_file;        // empty: a public client, by PKCE alone
    std::string name;                      // on the button; empty: the issuer's host
    std::vector<std::string> scopes{"openid", "profile", "email"};
    std::string user_claim = "email";      // names the user here; an address has to be verified
    std::string groups_claim = "groups";
    std::vector<std::string> user_groups;  // one of them is needed to come in; empty: whoever the issuer signs in
    std::vector<std::string> operator_groups;
    std::string ca_file;                   // PEM of a private CA that vouches for the issuer
    Duration timeout{10'000};              // of each question to the issuer
    Duration clock_off_max{60'000};        // between its clock and ours
    Duration attempt_max{600'000};         // from the button to the way back

    BERTH_FIELDS(OidcPolicy, issuer, client_id, client_secret_file, name, scopes, user_claim, groups_claim, user_groups, operator_groups,
                 ca_file, timeout, clock_off_max, attempt_max)
};

/// For clients that were there before tokens were.
struct CompatPolicy {
    std::vector<std::string> trusted_networks;  // "10.0.0.0/8=ci": from there, without a token, as user ci
    bool claim_by_get = true;                   // GET /<project>
    std::uint32_t machine_port = 8080;          // where a machine that registered over HTTP serves its user
    bool machines_reused = false;               // given to the next user as it was left; else only once it registered again

    BERTH_FIELDS(CompatPolicy, trusted_networks, claim_by_get, machine_port, machines_reused)
};

}  // namespace berth::gateway
