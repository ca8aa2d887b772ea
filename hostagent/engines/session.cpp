// SPDX-License-Identifier: Apache-2.0
#include "hostagent/engines/session.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "os/files.hpp"
#include "os/program.hpp"


namespace berth {

using os::mark_of;
using os::ProcessMark;

namespace {

constexpr Duration look_again{10};
constexpr std::size_t environment_bytes_max = 4 * 1024 * 1024;   // as the kernel bounds it

bool bears(pid_t pid, const std::string& mark) {
    const auto text = os::read_file(fmt::format("/proc/{}/environ", pid), environment_bytes_max);
    if (!text) return false;
    const auto whole = std::string{'\0'} + *text;
    return whole.find(std::string{'\0'} + mark + std::string{'\0'}) != std::string::npos;
}

void add(std::vector<ProcessMark>& known, const ProcessMark& one) {
    if (std::find(known.begin(), known.end(), one) == known.end()) known.push_back(one);
}

/// As interactive shells do; who handles it is left to finish.
bool ignores_term(pid_t pid) {
    std::ifstream lines(fmt::format("/proc/{}/status", pid));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("SigIgn:")) return (std::strtoull(line.c_str() + 7, nullptr, 16) >> (SIGTERM - 1) & 1) != 0;
    }
    return false;
}

std::uint64_t bytes_of(pid_t pid) {
    const auto text = os::read_file(fmt::format("/proc/{}/io", pid));
    if (!text) return 0;
    std::istringstream words(*text);
    std::string name;
    std::uint64_t value = 0;
    std::uint64_t total = 0;
    while (words >> name >> value) {
        if (name == "read_bytes:" || name == "write_bytes:") total += value;
    }
    return total;
}

/// "socket:[4711]", as it stands in a process's fd folder, of all that listen on the port.
std::vector<std::string> listeners_on(std::uint32_t port) {
    std::vector<std::string> sockets;
    for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::ifstream lines(table);
        std::string line, number, local, remote, state, skipped, inode;
        std::getline(lines, line);   // the heading
        while (std::getline(lines, line)) {
            std::istringstream words(line);
            words >> number >> local >> remote >> state;
            for (int field = 4; field < 9; ++field) words >> skipped;
            words >> inode;
            const auto colon = local.rfind(':');
            if (state != "0A" || colon == std::string::npos) continue;
            if (std::strtoul(local.c_str() + colon + 1, nullptr, 16) == port) sockets.push_back("socket:[" + inode + "]");
        }
    }
    return sockets;
}

bool holds_any(pid_t pid, const std::vector<std::string>& sockets) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid), error)) {
        const auto target = std::filesystem::read_symlink(entry.path(), error).string();
        if (std::find(sockets.begin(), sockets.end(), target) != sockets.end()) return true;
    }
    return false;
}

}  // namespace

std::string session_mark(const ContainerId& container) { return "BERTH_CONTAINER=" + container.value; }

std::vector<ProcessMark> session_members(const std::string& mark, const ProcessMark& leader) {
    // Without its leader a session's number alone proves nothing: it may be another's by now.
    const bool led = os::runs(leader);
    std::vector<ProcessMark> members;
    for (const auto pid : os::all_processes()) {
        if (!(led && ::getsid(pid) == leader.pid) && !bears(pid, mark)) continue;
        if (const auto found = mark_of(pid)) members.push_back(*found);
    }
    return members;
}

void ask_session(const std::string& mark, const ProcessMark& leader, Duration grace) {
    const auto begun = std::chrono::steady_clock::now();
    std::vector<ProcessMark> asked, hung_up;
    for (;;) {
        auto members = session_members(mark, leader);
        std::erase_if(members, [](const auto& one) {
            os::has_ended(one.pid);
            return !os::runs(one);
        });
        const auto passed = std::chrono::steady_clock::now() - begun;
        if (members.empty() || passed >= grace) return;
        std::map<pid_t, int> in_session;
        for (const auto& one : members) ++in_session[::getsid(one.pid)];
        for (const auto& one : members) {
            const bool leads = ::getsid(one.pid) == one.pid;
            const bool known = std::find(asked.begin(), asked.end(), one) != asked.end();
            if (!known) {
                os::send_signal(one, SIGTERM);
                os::send_signal(one, SIGCONT);
                asked.push_back(one);
            } else if (leads && ((in_session[one.pid] == 1 && ignores_term(one.pid)) || passed >= grace / 2) &&
                       std::find(hung_up.begin(), hung_up.end(), one) == hung_up.end()) {
                os::send_signal(one, SIGHUP);
                hung_up.push_back(one);
            }
        }
        std::this_thread::sleep_for(look_again);
    }
}

Result<void> end_session(const std::string& mark, const ProcessMark& leader, Duration grace,
                         Duration deadline) {
    const auto begun = std::chrono::steady_clock::now();
    std::vector<ProcessMark> known;
    std::vector<ProcessMark> asked;
    for (;;) {
        for (const auto& one : session_members(mark, leader)) add(known, one);
        std::erase_if(known, [](const auto& one) {
            os::has_ended(one.pid);
            return !os::runs(one);
        });
        const auto passed = std::chrono::steady_clock::now() - begun;
        if (known.empty()) return {};
        if (passed >= deadline) {
            return fail(ErrorKind::timeout, "process {} of {} did not end within {}", known.front().pid, mark,
                        to_text(deadline));
        }
        for (const auto& one : known) {
            const bool first = std::find(asked.begin(), asked.end(), one) == asked.end();
            if (first) asked.push_back(one);
            if (passed >= grace)
                os::send_signal(one, SIGKILL);
            else if (first)
                os::send_signal(one, SIGTERM);
        }
        std::this_thread::sleep_for(look_again);
    }
}

bool session_listens(const std::vector<ProcessMark>& members, std::uint32_t port) {
    const auto sockets = listeners_on(port);
    return std::any_of(members.begin(), members.end(), [&](const auto& one) { return holds_any(one.pid, sockets); });
}

Usage session_usage(const std::vector<ProcessMark>& members) {
    const auto ns_per_tick = 1'000'000'000ULL / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    Usage usage;
    for (const auto& one : members) {
        if (const auto facts = os::facts_of(one.pid)) usage.cpu_ns += facts->cpu_ticks * ns_per_tick;
        usage.io_bytes += bytes_of(one.pid);
    }
    return usage;
}

}  // namespace berth
