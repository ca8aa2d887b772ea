// SPDX-License-Identifier: Apache-2.0
#include "os/address.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/descriptor.hpp"

namespace berth::os {

namespace {

using Found = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<Found> look_up(const std::string& host, const std::string& port, int flags) {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_DGRAM;
    wanted.ai_flags = flags;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(host.c_str(), port.c_str(), &wanted, &found);
    if (code != 0) return fail(ErrorKind::not_found, "no address of '{}': {}", host, ::gai_strerror(code));
    return Found{found, &::freeaddrinfo};
}

Result<std::string> own_end_of(int socket) {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    std::array<char, NI_MAXHOST> text{};
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) != 0 ||
        ::getnameinfo(reinterpret_cast<sockaddr*>(&own), size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
        return fail(ErrorKind::internal, "cannot read a socket's own address: {}", std::strerror(errno));
    }
    return std::string{text.data()};
}

}  // namespace

Result<std::string> address_toward(const std::string& host, std::uint16_t port) {
    const auto found = TRY(look_up(host, std::to_string(port), 0));
    std::string why = "it has no usable address";
    for (const auto* one = found.get(); one != nullptr; one = one->ai_next) {
        const Descriptor socket{::socket(one->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        if (socket.number() < 0) continue;
        // Of a datagram socket this only looks for the way.
        if (::connect(socket.number(), one->ai_addr, one->ai_addrlen) == 0) return own_end_of(socket.number());
        why = std::strerror(errno);
    }
    return fail(ErrorKind::unavailable, "no way to {}: {}", host, why);
}

bool is_own_address(const std::string& address) {
    const auto found = look_up(address, "0", AI_NUMERICHOST);
    if (!found) return false;
    const Descriptor socket{::socket((*found)->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    return socket.number() >= 0 && ::bind(socket.number(), (*found)->ai_addr, (*found)->ai_addrlen) == 0;
}

std::string machine_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string{name.data()} : std::string{};
}

}  // namespace berth::os
