// SPDX-License-Identifier: Apache-2.0
#include "os/ports.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.hpp"

namespace berth::os {

Result<void> check_port_is_free(std::uint32_t port) {
    const Descriptor tried(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (tried.number() < 0) return fail(ErrorKind::unavailable, "no socket: {}", std::strerror(errno));
    const int yes = 1;
    ::setsockopt(tried.number(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = ::bind(tried.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                      ::listen(tried.number(), 1) == 0;
    if (free) return {};
    return fail(ErrorKind::conflict, "port {} of 127.0.0.1 can not be used: {}", port, std::strerror(errno));
}

}  // namespace berth::os
