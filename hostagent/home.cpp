// SPDX-License-Identifier: Apache-2.0
#include "hostagent/home.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace berth::hostagent {

Result<void> erase_home(const std::string& homes, const WorkspaceId& workspace) {
    const auto& name = workspace.value;
    if (!is_dns_label(name)) return fail(ErrorKind::invalid, "'{}' is no workspace id", name.substr(0, 63));
    const auto home = homes + "/" + name;
    const auto aside = homes + "/.erased-" + name;
    std::error_code error;
    std::filesystem::remove_all(aside, error);   // of an erasing that was cut off
    if (!error && std::rename(home.c_str(), aside.c_str()) != 0 && errno != ENOENT) {
        return fail(ErrorKind::internal, "cannot erase {}: {}", home, std::strerror(errno));
    }
    if (!error) std::filesystem::remove_all(aside, error);
    if (error) return fail(ErrorKind::internal, "cannot erase {}: {}", aside, error.message());
    return {};
}

bool port_is_free(std::uint32_t port) {
    const int tried = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (tried < 0) return true;   // the engine will say more
    const int yes = 1;
    ::setsockopt(tried, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = ::bind(tried, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(tried);
    return free;
}

}  // namespace berth::hostagent
