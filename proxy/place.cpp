// SPDX-License-Identifier: Apache-2.0
#include "proxy/place.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace berth::proxy {

namespace {

Error file_error(int code, std::string_view what, const std::string& path) {
    return {ErrorKind::internal,
            fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(code))};
}

/// Whole or not at all: a reader never finds half a file.
Result<void> replace_file(const std::string& path, const std::string& text) {
    const auto draft = path + ".new";
    std::ofstream file{draft, std::ios::trunc};
    file << text;
    file.close();
    if (!file) return fail(file_error(errno, "write", draft));
    std::error_code code;
    std::filesystem::rename(draft, path, code);
    if (code) return fail(file_error(code.value(), "replace", path));
    return {};
}

}  // namespace

Result<std::unique_ptr<Place>> Place::take(const std::string& host_dir) {
    std::error_code code;
    std::filesystem::create_directories(host_dir + "/run", code);
    if (code) return fail(file_error(code.value(), "make the folder", host_dir + "/run"));
    const auto path = host_dir + "/proxy.pid";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(file_error(errno, "open", path));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ::close(fd);
        return fail(ErrorKind::conflict,
                    "another berth-proxy serves from {} (its process id is in {}); end it first", host_dir,
                    path);
    }
    std::unique_ptr<Place> place{new Place(host_dir, fd)};
    const auto text = fmt::format("{}\n", ::getpid());
    if (::ftruncate(fd, 0) != 0 ||
        ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
        return fail(file_error(errno, "write", path));
    }
    return place;
}

Place::~Place() {
    ready_.ends();
    ::close(lock_);
}

std::uint16_t Place::earlier_port() const {
    std::ifstream file{dir_ + "/proxy.port"};
    unsigned port = 0;
    return file >> port && port <= 65'535 ? static_cast<std::uint16_t>(port) : 0;
}

Result<void> Place::serves_at(std::uint16_t port) const {
    TRY(replace_file(dir_ + "/proxy.port", fmt::format("{}\n", port)));
    ready_.serves();
    return {};
}

}  // namespace berth::proxy
