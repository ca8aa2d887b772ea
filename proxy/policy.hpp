// SPDX-License-Identifier: Apache-2.0
// Every number that the proxy goes by. [proxy] in the configuration; apps_domain, scheme, public_domain
// and public_port, when not set there, are those of [hostagent], which writes them into links.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::proxy {

struct Policy {
    std::string apps_domain = "localhost";       // a workspace answers at <workspace>.<apps_domain>
    std::string scheme;   // as the browser sees it; empty: https with a certificate, else http
    std::string public_domain;                   // behind a front proxy, in links and origins; empty: apps_domain
    std::uint32_t public_port = 0;               // the same; 0: the port it serves at
    std::uint32_t plain_port_first = 0;          // each slot's workspace has a port of its own from here on; 0: names alone
    std::uint32_t plain_port_count = 20;
    std::vector<std::string> trusted_networks;   // "10.0.0.0/8": whose X-Forwarded-Host and -Proto are believed
    std::string listen_address;                  // empty: as the host says, 127.0.0.1 when it has no other address
    bool port_moves = true;   // a port that is taken is left for another, which is published; false: it is awaited
    std::string landing = "/?folder=/berth/home";
    std::string tls_certificate;                 // PEM chain; empty: plain HTTP
    std::string tls_key;                         // both are read again when they change
    bool proxy_protocol = false;                 // every connection from trusted_networks begins with a PROXY header
    std::string gateway_url;                     // leads back in who comes late; empty: [gateway] public_url
    Duration session_lifetime{43'200'000};       // without use, at most 12 h; while it is used, up to the end of the lease

    Duration grant_age_max{900'000};             // how long a lease stands without word of an allocator (I25)
    Duration recheck{1'000};   // live connections are judged anew this often (I25: cut within 5 s)
    Duration unreadable_max{3'000};              // for so long a live connection outlives an unreadable memory
    Duration connect_timeout{5'000};
    Duration head_timeout{10'000};               // from a request's first byte to the end of its head
    Duration idle_timeout{75'000};               // between requests
    Duration body_stall_max{60'000};             // a browser that neither sends nor takes
    Duration answer_timeout{600'000};            // a container that does not begin to answer
    Duration silence_max{3'600'000};             // a container's answer that goes on without a byte (SSE)
    Duration half_open_max{5'000};               // a tunnel of which one side has ended
    Duration linger{1'000};                      // after a refusal, for what the browser still sends
    Duration drain_grace{1'500};                 // from SIGTERM to the end of all that is under way
    Duration port_patience{3'000};               // while the port of an earlier life is still taken

    std::uint32_t connections_max = 2'048;
    std::uint32_t connections_per_workspace_max = 512;
    std::uint32_t head_bytes_max = 65'536;       // of a request
    std::uint32_t cookie_bytes_max = 8'192;      // of them, cookies that go on: a Node server takes 16 KB in all
    std::uint32_t fields_max = 100;
    std::uint32_t answer_head_bytes_max = 65'536;

    BERTH_FIELDS(Policy, apps_domain, scheme, public_domain, public_port, plain_port_first, plain_port_count, trusted_networks, listen_address, port_moves,
                 landing, tls_certificate, tls_key, proxy_protocol, gateway_url, session_lifetime, grant_age_max, recheck,
                 unreadable_max, connect_timeout, head_timeout, idle_timeout, body_stall_max, answer_timeout,
                 silence_max, half_open_max, linger, drain_grace, port_patience, connections_max,
                 connections_per_workspace_max, head_bytes_max, cookie_bytes_max, fields_max, answer_head_bytes_max)
};

inline constexpr std::size_t chunk_bytes = 65'536;        // moved at once, per direction and only under load
inline constexpr std::size_t chunks_kept_max = 32;        // unused ones that are not given back to the system
inline constexpr std::size_t linger_bytes_max = 1'048'576;  // a browser keeps 180 cookies of 4 KB for one name
inline constexpr std::size_t target_bytes_max = 8'192;
inline constexpr std::size_t cookies_dropped_max = 64;    // by one press of the button
inline constexpr int interim_answers_max = 16;            // 1xx before one final answer
inline constexpr int listen_backlog = 512;
inline constexpr std::size_t proxy_header_bytes_max = 4'096;
inline constexpr Duration activity_period{1'000};         // at most one note of use per workspace in it
inline constexpr Duration rhythm_kept{600'000};           // after a workspace's last request
inline constexpr Duration editor_silence{12'000};         // an open page says something every 5 s
inline constexpr Duration editor_period{5'000};           // open windows are told anew so often
inline constexpr Duration link_patience{5'000};           // for the host's memory to note that a link is used
inline constexpr std::size_t session_id_bytes = 16;
inline constexpr std::size_t sessions_max = 4'096;        // whose last use is remembered
inline constexpr Duration sessions_period{60'000};        // in which it is written down
inline constexpr std::size_t links_waiting_max = 64;      // for that, at a time

}  // namespace berth::proxy
