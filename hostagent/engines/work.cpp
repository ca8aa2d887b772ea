// SPDX-License-Identifier: Apache-2.0
#include "hostagent/engines/work.hpp"

#include <dirent.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/clock.hpp"
#include "os/files.hpp"

namespace berth {

namespace {

constexpr std::size_t processes_max = 4'096;     // of one container; more are not looked at
constexpr std::size_t words_max = 64;
constexpr std::size_t command_bytes_max = 200;

std::string namespace_of(pid_t pid) {
    std::array<char, 64> link{};
    const auto path = fmt::format("/proc/{}/ns/pid", pid);
    const auto size = ::readlink(path.c_str(), link.data(), link.size());
    return size > 0 ? std::string(link.data(), static_cast<std::size_t>(size)) : "";
}

std::uint64_t disk_bytes_of(pid_t pid) {
    const auto text = os::read_file(fmt::format("/proc/{}/io", pid));
    std::istringstream words(text ? *text : "");
    std::string name;
    std::uint64_t value = 0, total = 0;
    while (words >> name >> value) {
        if (name == "read_bytes:" || name == "write_bytes:") total += value;
    }
    return total;
}

std::vector<std::string> words_of(pid_t pid) {
    const auto text = os::read_file(fmt::format("/proc/{}/cmdline", pid));
    std::vector<std::string> words;
    if (!text) return words;
    std::istringstream all(*text);
    for (std::string word; words.size() < words_max && std::getline(all, word, '\0');) words.push_back(word);
    return words;
}

/// Nothing when it has ended meanwhile.
std::optional<RunningProcess> read_process(pid_t pid) {
    const auto text = os::read_file(fmt::format("/proc/{}/stat", pid));
    if (!text) return std::nullopt;
    const auto begin = text->find('('), end = text->rfind(')');
    if (begin == std::string::npos || end == std::string::npos) return std::nullopt;
    RunningProcess process{.pid = pid, .name = text->substr(begin + 1, end - begin - 1)};
    std::istringstream fields(text->substr(end + 1));
    std::string state, skipped;
    pid_t parent = 0;
    fields >> state >> parent >> process.group >> process.session >> process.terminal >> process.foreground;
    if (state == "Z" || state == "X") return std::nullopt;
    for (int field = 9; field < 14; ++field) fields >> skipped;
    std::uint64_t ticks = 0;
    for (int field = 14; field < 18; ++field) {
        std::uint64_t some = 0;
        if (fields >> some) ticks += some;
    }
    for (int field = 18; field < 22; ++field) fields >> skipped;
    if (!(fields >> process.started_ticks)) return std::nullopt;
    process.cpu_ns = ticks * 1'000'000'000ULL / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    process.io_bytes = disk_bytes_of(pid);
    process.words = words_of(pid);
    return process;
}

std::uint64_t net_bytes_of(pid_t pid) {
    std::ifstream lines(fmt::format("/proc/{}/net/dev", pid));
    std::uint64_t total = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto colon = line.find(':');
        if (colon == std::string::npos) continue;
        std::istringstream words(line.substr(0, colon));
        std::string name;
        words >> name;
        if (name == "lo") continue;
        std::istringstream numbers(line.substr(colon + 1));
        std::array<std::uint64_t, 9> values{};     // received bytes and seven more, then sent bytes
        for (auto& value : values) numbers >> value;
        total += values.front() + values.back();
    }
    return total;
}

bool has_word(const RunningProcess& process, std::string_view part) {
    return std::any_of(process.words.begin(), process.words.end(), [&](const std::string& word) { return word.find(part) != std::string::npos; });
}

bool is_shell(std::string_view name) {
    constexpr std::array<std::string_view, 7> shells{"bash", "sh", "dash", "zsh", "fish", "ksh", "pwsh"};
    return std::find(shells.begin(), shells.end(), name) != shells.end();
}

std::string command_of(const RunningProcess& process) {
    std::string command;
    for (const auto& word : process.words) {
        if (command.size() > command_bytes_max) break;
        command += (command.empty() ? "" : " ") + word;
    }
    if (command.empty()) command = process.name;
    return command.substr(0, command_bytes_max);
}

/// Who has the terminal of each session, when that is not a shell at its prompt.
std::map<pid_t, const RunningProcess*> foreground_of(const std::vector<RunningProcess>& processes) {
    std::map<pid_t, const RunningProcess*> holders;
    for (const auto& one : processes) {
        if (one.terminal == 0 || one.group != one.foreground) continue;
        auto& holder = holders[one.session];
        if (holder == nullptr || one.pid == one.group) holder = &one;   // the group's first, while it lives
    }
    std::erase_if(holders, [](const auto& each) { return is_at_prompt(*each.second) || is_editors_own(*each.second); });
    return holders;
}

}  // namespace

bool is_editors_own(const RunningProcess& process) {
    const bool server = has_word(process, "/code-server/out/node/entry") || has_word(process, "/bootstrap-fork") ||
                        has_word(process, "/server-main.js");
    return server && !is_shell(process.name);
}

bool is_at_prompt(const RunningProcess& process) {
    if (process.name.starts_with("tmux") || process.name == "screen") return true;
    if (!is_shell(process.name)) return false;
    constexpr std::array<std::string_view, 5> with_value{"--init-file", "--rcfile", "--init-command", "-C", "-O"};
    for (std::size_t i = 1; i < process.words.size(); ++i) {
        const auto& word = process.words[i];
        if (word == "-c") return false;                    // a task's line
        if (std::find(with_value.begin(), with_value.end(), word) != with_value.end()) {
            ++i;
        } else if (!word.empty() && word.front() != '-' && word.front() != '+') {
            return false;                                  // a script
        }
    }
    return true;
}

Result<WorkLook> look_at_work(pid_t inside) {
    const auto ours = namespace_of(::getpid()), theirs = namespace_of(inside);
    if (theirs.empty() || theirs == ours) {
        return fail(ErrorKind::unavailable, "/proc does not show what runs beside process {}", inside);
    }
    DIR* folder = ::opendir("/proc");
    if (folder == nullptr) return fail(ErrorKind::internal, "cannot list /proc");
    WorkLook look;
    while (const auto* entry = ::readdir(folder)) {
        const auto pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
        if (pid <= 1 || namespace_of(pid) != theirs) continue;
        if (auto process = read_process(pid)) look.processes.push_back(std::move(*process));
        if (look.processes.size() == processes_max) break;
    }
    ::closedir(folder);
    look.net_bytes = net_bytes_of(inside);
    look.looked_at = RealClock{}.now();
    timespec up{};
    ::clock_gettime(CLOCK_BOOTTIME, &up);
    look.booted_at = look.looked_at - Duration{up.tv_sec * 1'000 + up.tv_nsec / 1'000'000};
    return look;
}

Usage WorkCounter::add(const WorkLook& look) {
    std::map<Life, std::pair<std::uint64_t, std::uint64_t>> now;
    for (const auto& process : look.processes) {
        if (is_editors_own(process)) continue;
        const Life life{process.pid, process.started_ticks};
        now[life] = {process.cpu_ns, process.io_bytes};
        const auto before = known_.find(life);
        if (before == known_.end() && !began_) continue;   // what it used until the first look is not known to be new
        const auto [cpu, io] = before == known_.end() ? std::pair<std::uint64_t, std::uint64_t>{} : before->second;
        total_.cpu_ns += process.cpu_ns > cpu ? process.cpu_ns - cpu : 0;
        total_.io_bytes += process.io_bytes > io ? process.io_bytes - io : 0;
    }
    known_ = std::move(now);
    began_ = true;
    total_.net_bytes = look.net_bytes;

    const auto tick_ms = 1'000 / ::sysconf(_SC_CLK_TCK);
    std::map<pid_t, Instant> busy;
    total_.jobs.clear();
    for (const auto& [session, process] : foreground_of(look.processes)) {
        const auto started = look.booted_at + Duration{static_cast<std::int64_t>(process->started_ticks) * tick_ms};
        const auto before = busy_since_.find(session);
        const auto since = before == busy_since_.end() ? started : std::min(before->second, started);
        busy[session] = since;
        total_.jobs.push_back({command_of(*process), since});
    }
    busy_since_ = std::move(busy);
    return total_;
}

}  // namespace berth
