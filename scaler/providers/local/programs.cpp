// SPDX-License-Identifier: Apache-2.0
#include "scaler/providers/local/programs.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "scaler/providers/local/instance_file.hpp"

namespace berth::scaler {

namespace {

// glibc 2.36 declares these without extern "C", so that C++ does not find them.
int open_pidfd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
void signal_pidfd(int descriptor, int number) { ::syscall(SYS_pidfd_send_signal, descriptor, number, nullptr, 0); }

struct Start {                            // all that the child needs, made before the fork
    std::vector<char*> arguments;
    int input = -1;
    int output = -1;
    int failure = -1;
};

/// In the child of a program with threads: nothing here may allocate or lock.
[[noreturn]] void become(const Start& start) {
    ::setsid();
    ::dup2(start.input, STDIN_FILENO);
    ::dup2(start.output, STDOUT_FILENO);
    ::dup2(start.output, STDERR_FILENO);
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    ::execve(start.arguments[0], start.arguments.data(), environ);
    const int code = errno;
    [[maybe_unused]] const auto told = ::write(start.failure, &code, sizeof code);
    ::_exit(126);
}

bool names_folder(pid_t pid, const std::string& folder) {
    std::ifstream file(fmt::format("/proc/{}/cmdline", pid), std::ios::binary);
    std::string argument;
    while (std::getline(file, argument, '\0')) {
        if (argument == folder || argument.starts_with(folder + "/")) return true;
    }
    return false;
}

std::string unescaped(std::string_view octal) {  // mountinfo writes a blank as \040
    std::string text;
    for (std::size_t i = 0; i < octal.size(); ++i) {
        if (octal[i] == '\\' && i + 3 < octal.size()) {
            text += static_cast<char>((octal[i + 1] - '0') * 64 + (octal[i + 2] - '0') * 8 + (octal[i + 3] - '0'));
            i += 3;
        } else {
            text += octal[i];
        }
    }
    return text;
}

int status_of(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

bool is_over(int descriptor, Duration wait) {
    pollfd entry{descriptor, POLLIN, 0};
    int got = 0;
    do got = ::poll(&entry, 1, static_cast<int>(wait.count()));
    while (got < 0 && errno == EINTR);
    return got > 0;
}

}  // namespace

RunningProgram::RunningProgram(RunningProgram&& other) noexcept
    : pid_(other.pid_), descriptor_(std::exchange(other.descriptor_, -1)) {}

RunningProgram& RunningProgram::operator=(RunningProgram&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

RunningProgram::~RunningProgram() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void RunningProgram::signal(int number) const { signal_pidfd(descriptor_, number); }

bool RunningProgram::ended_within(Duration wait) const { return is_over(descriptor_, wait); }

std::optional<RunningProgram> find_program(const std::string& pid_file, const std::string& folder) {
    const auto text = read_whole(pid_file);
    if (!text) return std::nullopt;
    pid_t pid = 0;
    const auto [stop, error] = std::from_chars(text->data(), text->data() + text->size(), pid);
    if (error != std::errc{} || pid <= 1) return std::nullopt;
    const int descriptor = open_pidfd(pid);
    if (descriptor < 0) return std::nullopt;
    RunningProgram program{pid, descriptor};
    // In this order: what is looked at now is what the descriptor holds, or that one has ended.
    if (!names_folder(pid, folder) || program.ended_within(Duration{0})) return std::nullopt;
    return program;
}

Result<void> end_program(const RunningProgram& program, Duration term_wait, Duration kill_wait) {
    program.signal(SIGTERM);
    if (program.ended_within(term_wait)) return {};
    program.signal(SIGKILL);
    if (program.ended_within(kill_wait)) return {};
    return fail(ErrorKind::timeout, "process {} did not end by SIGKILL within {}", program.pid(), to_text(kill_wait));
}

Result<pid_t> start_program(const std::vector<std::string>& arguments, const std::string& log) {
    Start start;
    for (const auto& argument : arguments) start.arguments.push_back(const_cast<char*>(argument.c_str()));
    start.arguments.push_back(nullptr);
    std::array<int, 2> failure{-1, -1};
    if (::pipe2(failure.data(), O_CLOEXEC) != 0) return fail(ErrorKind::unavailable, "no pipe: {}", std::strerror(errno));
    start.failure = failure[1];
    start.input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    start.output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    const int open_error = errno;
    const pid_t pid = start.input >= 0 && start.output >= 0 ? ::fork() : -1;
    const int fork_error = start.output >= 0 ? errno : open_error;
    if (pid == 0) become(start);
    for (const int file : {start.input, start.output, start.failure}) {
        if (file >= 0) ::close(file);
    }
    int code = 0;
    ssize_t got = 0;
    do got = pid > 0 ? ::read(failure[0], &code, sizeof code) : 0;
    while (got < 0 && errno == EINTR);
    ::close(failure[0]);
    const auto& program = arguments.front();
    if (pid < 0) return fail(ErrorKind::unavailable, "cannot start {} with the log {}: {}", program, log, std::strerror(fork_error));
    if (got > 0) {
        ::waitpid(pid, nullptr, 0);
        return fail(ErrorKind::not_found, "cannot run {}: {}", program, std::strerror(code));
    }
    return pid;
}

Result<int> wait_for(pid_t child, Duration wait) {
    const int descriptor = open_pidfd(child);
    if (descriptor < 0) return fail(ErrorKind::internal, "no child {} to wait for: {}", child, std::strerror(errno));
    const bool over = is_over(descriptor, wait);
    ::close(descriptor);
    if (!over) ::kill(child, SIGKILL);    // our own child that nobody waited for: the number is still its own
    int raw = 0;
    ::waitpid(child, &raw, 0);
    if (!over) return fail(ErrorKind::timeout, "process {} did not end within {}", child, to_text(wait));
    return status_of(raw);
}

Result<void> end_child(pid_t child, Duration term_wait, Duration kill_wait) {
    const int descriptor = open_pidfd(child);
    if (descriptor < 0) return {};        // it was buried
    for (const auto& [number, wait] : {std::pair{SIGTERM, term_wait}, std::pair{SIGKILL, kill_wait}}) {
        signal_pidfd(descriptor, number);
        if (!is_over(descriptor, wait)) continue;
        ::close(descriptor);
        ::waitpid(child, nullptr, 0);
        return {};
    }
    ::close(descriptor);
    return fail(ErrorKind::timeout, "process {} did not end by SIGKILL within {}", child, to_text(kill_wait));
}

bool has_ended(pid_t child) { return ::waitpid(child, nullptr, WNOHANG) != 0; }

std::vector<std::string> mounts_below(const std::string& folder) {
    std::vector<std::string> found;
    std::ifstream file("/proc/self/mountinfo");
    std::string line;
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::string skipped;
        std::string point;
        words >> skipped >> skipped >> skipped >> skipped >> point;
        point = unescaped(point);
        if (point.starts_with(folder + "/")) found.push_back(point);
    }
    return found;
}

bool is_free_port(std::uint32_t port) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return false;
    const int yes = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && ::listen(descriptor, 1) == 0;
    ::close(descriptor);
    return free;
}

}  // namespace berth::scaler
