// SPDX-License-Identifier: Apache-2.0
// Every number that the front door goes by: [edge] in the configuration.
#pragma once

#include <cstdint>
#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::proxy {

struct EdgePolicy {
    std::string listen_address = "0.0.0.0";
    std::uint32_t port = 443;
    std::string apps_domain = "localhost";       // a workspace answers at <workspace>.<apps_domain>
    std::string tls_certificate;                 // PEM chain of that wildcard name; empty: plain HTTP
    std::string tls_key;                         // both are read again when they change
    bool proxy_protocol = false;                 // hosts are told where the browser is; they need proxy.proxy_protocol and this address in proxy.trusted_networks
    Duration connect_timeout{5'000};             // to a host's proxy
    Duration head_timeout{10'000};               // from a browser's first byte to the end of its first head
    Duration silence_max{3'600'000};             // of both sides
    Duration recheck{1'000};                     // a workspace that moved to another host is noticed so often
    Duration drain_grace{5'000};                 // from SIGTERM to the end of all that is under way
    std::uint32_t connections_max = 4'096;
    std::uint32_t head_bytes_max = 65'536;

    BERTH_FIELDS(EdgePolicy, listen_address, port, apps_domain, tls_certificate, tls_key, proxy_protocol, connect_timeout, head_timeout,
                 silence_max, recheck, drain_grace, connections_max, head_bytes_max)
};

}  // namespace berth::proxy
