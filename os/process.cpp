// SPDX-License-Identifier: Apache-2.0
#include "os/process.hpp"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <utility>

#include "os/files.hpp"

namespace berth::os {

namespace {

constexpr std::size_t arguments_bytes_max = 4 * 1024 * 1024;   // as the kernel bounds them

// glibc 2.36 declares these without extern "C", so that C++ does not find them.
int open_pidfd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
void signal_pidfd(int descriptor, int number) { ::syscall(SYS_pidfd_send_signal, descriptor, number, nullptr, 0); }

}  // namespace

// The name, which stands before the state, may hold anything.
std::optional<ProcessFacts> facts_of(pid_t pid) {
    const auto text = read_file(fmt::format("/proc/{}/stat", pid));
    const auto name_end = text ? text->rfind(')') : std::string::npos;
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream words(text->substr(name_end + 1));
    ProcessFacts facts;
    words >> facts.state >> facts.parent;
    std::string skipped;
    for (int field = 5; field < 14; ++field) words >> skipped;
    for (int field = 14; field < 18; ++field) {
        std::uint64_t ticks = 0;
        words >> ticks;
        facts.cpu_ticks += ticks;
    }
    for (int field = 18; field < 22; ++field) words >> skipped;
    words >> facts.started;
    return words ? std::optional{facts} : std::nullopt;
}

std::optional<ProcessMark> mark_of(pid_t pid) {
    const auto facts = facts_of(pid);
    if (!facts || facts->state == 'Z' || facts->state == 'X') return std::nullopt;
    return ProcessMark{.pid = pid, .started = facts->started};
}

std::optional<ProcessMark> read_mark(const std::string& pid_file) {
    const auto text = read_file(pid_file);
    if (!text) return std::nullopt;
    std::istringstream words(*text);
    ProcessMark mark;
    if (!(words >> mark.pid) || mark.pid <= 1) return std::nullopt;
    if (!(words >> mark.started)) return mark_of(mark.pid);
    return mark;
}

bool runs(const ProcessMark& mark) { return mark.pid > 1 && mark_of(mark.pid) == mark; }

void send_signal(const ProcessMark& mark, int signal) {
    // In this order: what is looked at now is what the descriptor holds, or that one has ended.
    const auto process = RunningProcess::find(mark.pid);
    if (process && runs(mark)) process->signal(signal);
}

std::optional<RunningProcess> RunningProcess::find(pid_t pid) {
    const int descriptor = pid > 1 ? open_pidfd(pid) : -1;
    if (descriptor < 0) return std::nullopt;
    RunningProcess process{pid, descriptor};
    if (process.ended_within(Duration{0})) return std::nullopt;
    return process;
}

RunningProcess::RunningProcess(RunningProcess&& other) noexcept
    : pid_(other.pid_), descriptor_(std::exchange(other.descriptor_, -1)) {}

RunningProcess& RunningProcess::operator=(RunningProcess&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

RunningProcess::~RunningProcess() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void RunningProcess::signal(int number) const { signal_pidfd(descriptor_, number); }

bool RunningProcess::ended_within(Duration wait) const {
    pollfd entry{descriptor_, POLLIN, 0};
    int got = 0;
    do got = ::poll(&entry, 1, static_cast<int>(wait.count()));
    while (got < 0 && errno == EINTR);
    return got > 0;
}

Result<void> RunningProcess::end(Duration term_wait, Duration kill_wait) const {
    signal(SIGTERM);
    if (ended_within(term_wait)) return {};
    signal(SIGKILL);
    if (ended_within(kill_wait)) return {};
    return fail(ErrorKind::timeout, "process {} did not end by SIGKILL within {}", pid_, to_text(kill_wait));
}

std::vector<pid_t> all_processes() {
    std::vector<pid_t> pids;
    const std::unique_ptr<DIR, int (*)(DIR*)> folder{::opendir("/proc"), &::closedir};
    if (!folder) return pids;
    while (const auto* entry = ::readdir(folder.get())) {
        const auto pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
        if (pid > 1) pids.push_back(pid);
    }
    return pids;
}

std::vector<std::string> arguments_of(pid_t pid) {
    const auto text = read_file(fmt::format("/proc/{}/cmdline", pid), arguments_bytes_max);
    std::vector<std::string> arguments;
    std::istringstream words(text.value_or(""));
    for (std::string word; std::getline(words, word, '\0');) arguments.push_back(word);
    return arguments;
}

std::string program_of(pid_t pid) {
    std::error_code error;
    auto name = std::filesystem::read_symlink(fmt::format("/proc/{}/exe", pid), error).filename().string();
    constexpr std::string_view replaced = " (deleted)";
    if (name.ends_with(replaced)) name.resize(name.size() - replaced.size());
    return error ? std::string{} : name;
}

}  // namespace berth::os
