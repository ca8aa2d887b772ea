// SPDX-License-Identifier: Apache-2.0
#include "hostagent/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "hostagent/small_file.hpp"

namespace berth::hostagent {

namespace {

struct Pipe {
    int ends[2] = {-1, -1};
    Pipe() { [[maybe_unused]] const int made = ::pipe2(ends, O_CLOEXEC); }
    ~Pipe() {
        close_end(0);
        close_end(1);
    }
    void close_end(int end) {
        if (ends[end] >= 0) ::close(ends[end]);
        ends[end] = -1;
    }
    bool good() const { return ends[0] >= 0 && ends[1] >= 0; }
};

struct Prepared {                         // all that the child needs, made before the fork
    std::vector<char*> arguments;
    std::vector<char*> environment;
    int input = -1;
    int output = -1;
    int go = -1;
    int failure = -1;
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> result;
    for (const auto& word : words) result.push_back(const_cast<char*>(word.c_str()));
    result.push_back(nullptr);
    return result;
}

void close_between(int after, int before) {
    if (after + 1 <= before - 1) ::close_range(static_cast<unsigned>(after + 1), static_cast<unsigned>(before - 1), 0);
}

/// In the child of a program with threads: nothing here may allocate or lock.
[[noreturn]] void become(const Prepared& prepared) {
    ::setsid();
    ::dup2(prepared.input, STDIN_FILENO);
    ::dup2(prepared.output, STDOUT_FILENO);
    ::dup2(prepared.output, STDERR_FILENO);
    const int low = std::min(prepared.go, prepared.failure);
    const int high = std::max(prepared.go, prepared.failure);
    close_between(STDERR_FILENO, low);
    close_between(low, high);
    ::close_range(static_cast<unsigned>(high + 1), ~0U, 0);
    for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    char byte = 0;
    if (::read(prepared.go, &byte, 1) != 1) ::_exit(125);   // the agent died before it wrote us down
    ::execve(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
    const int code = errno;
    [[maybe_unused]] const auto told = ::write(prepared.failure, &code, sizeof code);
    ::_exit(126);
}

Result<void> release(Pipe& go, Pipe& failure, const std::string& program) {
    const char byte = 1;
    if (::write(go.ends[1], &byte, 1) != 1) return fail(ErrorKind::internal, "cannot start {}: it has ended", program);
    int code = 0;
    ssize_t got = 0;
    do got = ::read(failure.ends[0], &code, sizeof code);
    while (got < 0 && errno == EINTR);
    if (got == static_cast<ssize_t>(sizeof code)) {
        return fail(ErrorKind::not_found, "cannot start {}: {}", program, std::strerror(code));
    }
    return {};
}

}  // namespace

std::optional<ProcessMark> mark_of(pid_t pid) {
    const auto text = read_small_file(fmt::format("/proc/{}/stat", pid));
    if (!text) return std::nullopt;
    const auto name_end = text->rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream words(text->substr(name_end + 1));
    std::string state;
    words >> state;
    if (state == "Z" || state == "X") return std::nullopt;
    std::string skipped;
    for (int field = 4; field < 22; ++field) words >> skipped;
    ProcessMark mark{.pid = pid};
    if (!(words >> mark.started)) return std::nullopt;
    return mark;
}

std::optional<ProcessMark> read_mark(const std::string& pid_file) {
    const auto text = read_small_file(pid_file);
    if (!text) return std::nullopt;
    std::istringstream words(*text);
    ProcessMark mark;
    if (!(words >> mark.pid) || mark.pid <= 1) return std::nullopt;
    if (!(words >> mark.started)) return mark_of(mark.pid);
    return mark;
}

bool runs(const ProcessMark& mark) { return mark.pid > 1 && mark_of(mark.pid) == mark; }

void send_signal(const ProcessMark& mark, int signal) {
    if (runs(mark)) ::kill(mark.pid, signal);
}

Result<ProcessMark> start_child(const ChildOrder& order) {
    const auto& program = order.arguments.at(0);
    Pipe go;
    Pipe failure;
    Prepared prepared{.arguments = pointers(order.arguments), .environment = pointers(order.environment)};
    prepared.input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    prepared.output = ::open(order.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    prepared.go = go.ends[0];
    prepared.failure = failure.ends[1];
    const bool good = go.good() && failure.good() && prepared.input >= 0 && prepared.output >= 0;
    const pid_t pid = good ? ::fork() : -1;
    const int code = errno;
    if (pid == 0) become(prepared);
    if (prepared.input >= 0) ::close(prepared.input);
    if (prepared.output >= 0) ::close(prepared.output);
    if (pid < 0) return fail(ErrorKind::internal, "cannot start {}: {}", program, std::strerror(code));
    go.close_end(0);
    failure.close_end(1);

    const auto mark = mark_of(pid);
    Result<void> outcome;
    if (!mark) outcome = fail(ErrorKind::internal, "cannot start {}: it ended at once", program);
    if (outcome && !order.pid_file.empty()) {
        outcome = write_small_file(order.pid_file, fmt::format("{} {}\n", mark->pid, mark->started));
    }
    if (outcome) outcome = release(go, failure, program);
    if (outcome) return *mark;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    if (!order.pid_file.empty()) ::unlink(order.pid_file.c_str());
    return fail(outcome.error());
}

void bury(pid_t pid) { ::waitpid(pid, nullptr, WNOHANG); }

std::string program_folder() {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

}  // namespace berth::hostagent
