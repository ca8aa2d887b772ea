// SPDX-License-Identifier: Apache-2.0
#include "proxy/place.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "base/diagnostics.hpp"
#include "os/files.hpp"

namespace berth::proxy {

Result<std::unique_ptr<Place>> Place::take(const std::string& host_dir) {
    std::error_code code;
    std::filesystem::create_directories(host_dir + "/run", code);
    if (code) return os::failed("make the folder", host_dir + "/run", code.value());
    const auto path = host_dir + "/proxy.pid";
    auto lock = os::Lock::take(path, Duration{0}, os::LockNote::pid);
    if (!lock && lock.error().kind == ErrorKind::conflict) {
        return fail(ErrorKind::conflict, "another berth-proxy serves from {} (its process id is in {}); end it first", host_dir, path);
    }
    if (!lock) return fail(lock.error());
    return std::unique_ptr<Place>{new Place(host_dir, std::move(*lock))};
}

Place::~Place() { ready_.ends(); }

std::uint16_t Place::earlier_port() const {
    std::ifstream file{dir_ + "/proxy.port"};
    unsigned port = 0;
    return file >> port && port <= 65'535 ? static_cast<std::uint16_t>(port) : 0;
}

Result<void> Place::serves_at(std::uint16_t port) const {
    TRY(os::write_file(dir_ + "/proxy.port", fmt::format("{}\n", port), os::mode_of_notices));
    ready_.serves();
    return {};
}

std::string Place::earlier_sessions() const {
    std::ifstream file{dir_ + "/proxy.sessions"};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void Place::keep_sessions(const std::string& text) const {
    if (const auto kept = os::write_file(dir_ + "/proxy.sessions", text); !kept) {
        log_warn("sessions.unwritten", {{"why", kept.error().text}});
    }
}

}  // namespace berth::proxy
