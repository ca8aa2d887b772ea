// SPDX-License-Identifier: Apache-2.0
#include "base/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/descriptor.hpp"
#include "base/diagnostics.hpp"

namespace berth {

namespace {

constexpr Duration period_least{100};

std::string_view environment(const char* name) {
    const char* text = std::getenv(name);
    return text == nullptr ? std::string_view{} : std::string_view{text};
}

std::optional<std::int64_t> number_in(std::string_view text) {
    std::int64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Inherited from a parent that is the service: it was told to that one.
bool is_anothers(const char* name) {
    const auto pid = number_in(environment(name));
    return pid && *pid != ::getpid();
}

}  // namespace

void tell_service_manager(std::string_view what) {
    const auto path = environment("NOTIFY_SOCKET");
    if (path.empty() || is_anothers("SYSTEMD_EXEC_PID")) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto refused = [&](const char* why) { log_warn("service_manager.not_told", {{"what", what}, {"socket", path}, {"why", why}}); };
    if ((path[0] != '/' && path[0] != '@') || path.size() >= sizeof(address.sun_path)) return refused("it is neither a path nor an abstract name of a unix socket");
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path[0] == '@' ? 0 : 1));
    const Descriptor socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const auto sent = ::sendto(socket.number(), what.data(), what.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), length);
    if (sent < 0) refused(std::strerror(errno));
}

std::optional<Duration> watchdog_period() {
    const auto wanted_us = number_in(environment("WATCHDOG_USEC"));
    if (!wanted_us || *wanted_us <= 0 || environment("NOTIFY_SOCKET").empty() || is_anothers("WATCHDOG_PID")) return std::nullopt;
    return std::max(period_least, Duration{*wanted_us / 2'000});
}

}  // namespace berth
