// SPDX-License-Identifier: Apache-2.0
#include "proxy/way.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <system_error>

#include "proxy/access.hpp"

namespace berth::proxy {

Way::~Way() {
    if (pin_ >= 0) ::close(pin_);
}

Result<Way> open_way(const RouteRecord& route) {
    if (!has_socket(route)) {
        const tcp::endpoint at(net::ip::address_v4::loopback(), static_cast<std::uint16_t>(route.port));
        return Way{Way::Endpoint{at}, -1};
    }
    const auto& path = *route.socket;
    const int fd = ::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return fail(ErrorKind::unavailable, "cannot open the socket {}: {}", path,
                    std::generic_category().message(errno));
    }
    // What is connected to is what was looked at, whatever the name means by then; and a path of any length.
    Way way{Way::Endpoint{net::local::stream_protocol::endpoint{fmt::format("/proc/self/fd/{}", fd)}}, fd};
    struct stat told {};
    if (::fstat(fd, &told) != 0 || !S_ISSOCK(told.st_mode)) {
        return fail(ErrorKind::denied, "{} is no socket; a workspace is reached by nothing else there", path);
    }
    return way;
}

}  // namespace berth::proxy
