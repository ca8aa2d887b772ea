// SPDX-License-Identifier: Apache-2.0
// Who listens at a port of this machine: the one word that helps when it is taken (field report 24).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::proxy {

struct Listener {
    std::string inode;       // of its socket
    std::string user_id;
};
/// From the text of /proc/net/tcp or tcp6.
std::vector<Listener> listeners_in(std::string_view table, std::uint16_t port);

/// "python3 (process 4711)"; "a process of user 1000" when it is not ours to look at; "another process".
std::string holder_of(std::uint16_t port);

}  // namespace berth::proxy
