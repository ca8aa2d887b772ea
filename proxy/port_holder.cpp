// SPDX-License-Identifier: Apache-2.0
#include "proxy/port_holder.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace berth::proxy {

namespace {

namespace files = std::filesystem;

constexpr std::string_view listening = "0A";

std::string text_of(const std::string& path) {
    std::ifstream file{path};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string program_of(const files::path& process) {
    auto name = text_of(process / "comm");
    while (!name.empty() && name.back() == '\n') name.pop_back();
    return fmt::format("{} (process {})", name, process.filename().string());
}

/// Empty when no process that we may look at has it.
std::string holder_of_socket(const std::string& inode) {
    const auto socket = fmt::format("socket:[{}]", inode);
    std::error_code error;
    for (const auto& process : files::directory_iterator("/proc", error)) {
        const auto name = process.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        std::error_code closed;   // it has ended, or is another user's
        for (files::directory_iterator fd(process.path() / "fd", closed), end; !closed && fd != end; fd.increment(closed)) {
            std::error_code gone;
            if (files::read_symlink(fd->path(), gone).string() == socket) return program_of(process.path());
        }
    }
    return {};
}

}  // namespace

std::vector<Listener> listeners_in(std::string_view table, std::uint16_t port) {
    std::vector<Listener> found;
    std::istringstream lines{std::string{table}};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words{line};
        std::string number, local, remote, state, queues, timer, retries, user, timeout, inode;
        words >> number >> local >> remote >> state >> queues >> timer >> retries >> user >> timeout >> inode;
        const auto colon = local.rfind(':');
        if (inode.empty() || state != listening || colon == std::string::npos) continue;
        unsigned at = 0;
        const auto* end = local.data() + local.size();
        const auto read = std::from_chars(local.data() + colon + 1, end, at, 16);
        if (read.ec == std::errc{} && read.ptr == end && at == port) found.push_back({inode, user});
    }
    return found;
}

std::string holder_of(std::uint16_t port) {
    std::string user;
    for (const auto* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        for (const auto& listener : listeners_in(text_of(table), port)) {
            user = listener.user_id;
            if (auto holder = holder_of_socket(listener.inode); !holder.empty()) return holder;
        }
    }
    return user.empty() ? "another process" : fmt::format("a process of user {}", user);
}

}  // namespace berth::proxy
