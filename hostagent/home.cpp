// SPDX-License-Identifier: Apache-2.0
#include "hostagent/home.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "os/ports.hpp"

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
    const auto free = os::check_port_is_free(port);
    return free || free.error().kind != ErrorKind::conflict;   // what is wrong then the engine will say
}

}  // namespace berth::hostagent
