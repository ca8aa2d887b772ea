// SPDX-License-Identifier: Apache-2.0
#include "os/program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <utility>

#include "os/files.hpp"

namespace berth::os {

namespace {

constexpr int first_passed = STDERR_FILENO + 1;
constexpr int own_pipes = 2;              // whose ends stand behind what is passed

/// A descriptor that the parent closes when the child has it.
class Held {
public:
    Held() = default;
    explicit Held(int number) : number_(number) {}
    ~Held() { close(); }
    Held(Held&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Held& operator=(Held&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    int number() const { return number_; }
    void close() {
        if (number_ >= 0) ::close(number_);
        number_ = -1;
    }

private:
    int number_ = -1;
};

struct Pipe {
    Held read;
    Held write;
};

struct Prepared {                         // all that the child needs, made before the fork
    std::vector<char*> arguments;
    std::vector<char*> environment;
    std::vector<Held> passed;             // above those numbers that they become
    Held input;
    Held output;
    Pipe go;                              // it runs when a byte comes, and ends when none ever will
    Pipe failure;                         // gets errno when it cannot run
    Leads leads = Leads::session;
    int when_parent_dies = 0;
    pid_t parent = 0;
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> result;
    for (const auto& word : words) result.push_back(const_cast<char*>(word.c_str()));
    result.push_back(nullptr);
    return result;
}

/// A copy whose number is no number that the child needs for something else.
Held above(int descriptor, std::size_t passed) {
    return Held{::fcntl(descriptor, F_DUPFD_CLOEXEC, first_passed + static_cast<int>(passed) + own_pipes)};
}

Result<Pipe> make_pipe(std::size_t passed) {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(ErrorKind::unavailable, "no pipe: {}", std::strerror(errno));
    const Held low_read{ends[0]}, low_write{ends[1]};
    Pipe pipe{above(ends[0], passed), above(ends[1], passed)};
    if (pipe.read.number() < 0 || pipe.write.number() < 0) return fail(ErrorKind::unavailable, "no pipe: {}", std::strerror(errno));
    return pipe;
}

Result<Held> open_or_copy(int given, const std::string& path, int flags, std::size_t passed) {
    const Held opened{given >= 0 ? -1 : ::open(path.c_str(), flags | O_CLOEXEC, 0600)};
    if (given < 0 && opened.number() < 0) return failed("open", path, errno);
    auto copy = above(given >= 0 ? given : opened.number(), passed);
    if (copy.number() < 0) return failed("pass on", path, errno);
    return copy;
}

Result<Prepared> prepare(const ProgramOrder& order, const std::vector<std::string>& environment) {
    const auto count = order.passed.size();
    Prepared prepared{.arguments = pointers(order.arguments), .environment = pointers(environment)};
    prepared.leads = order.leads;
    prepared.when_parent_dies = order.when_parent_dies;
    prepared.parent = ::getpid();
    prepared.input = TRY(open_or_copy(order.input, "/dev/null", O_RDONLY, count));
    const bool to_file = order.answers < 0 && !order.output.empty();
    prepared.output = TRY(open_or_copy(order.answers, to_file ? order.output : "/dev/null",
                                       to_file ? O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW : O_WRONLY, count));
    for (const int one : order.passed) {
        prepared.passed.push_back(above(one, count));
        if (prepared.passed.back().number() < 0) return failed("pass on", fmt::format("descriptor {}", one), errno);
    }
    prepared.go = TRY(make_pipe(count));
    prepared.failure = TRY(make_pipe(count));
    return prepared;
}

/// In the child of a program with threads: nothing here may allocate or lock.
[[noreturn]] void become(const Prepared& prepared) {
    if (prepared.leads == Leads::session) {
        ::setsid();
    } else {
        ::setpgid(0, 0);
    }
    if (prepared.when_parent_dies != 0) {
        ::prctl(PR_SET_PDEATHSIG, prepared.when_parent_dies);
        if (::getppid() != prepared.parent) ::_exit(125);   // it died in between
    }
    ::dup2(prepared.input.number(), STDIN_FILENO);
    ::dup2(prepared.output.number(), STDOUT_FILENO);
    ::dup2(prepared.output.number(), STDERR_FILENO);
    int next = first_passed;
    for (const auto& one : prepared.passed) ::dup2(one.number(), next++);
    const int go = ::dup3(prepared.go.read.number(), next++, O_CLOEXEC);
    const int failure = ::dup3(prepared.failure.write.number(), next++, O_CLOEXEC);
    ::close_range(static_cast<unsigned>(next), ~0U, 0);   // the pipes of others too, or no end of them is seen
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    char byte = 0;
    if (::read(go, &byte, 1) != 1) ::_exit(125);   // the parent died before it wrote us down
    ::execve(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
    const int code = errno;
    [[maybe_unused]] const auto told = ::write(failure, &code, sizeof code);
    ::_exit(126);
}

Result<void> let_run(Prepared& prepared, const std::string& program) {
    const char byte = 1;
    if (::write(prepared.go.write.number(), &byte, 1) != 1) return fail(ErrorKind::unavailable, "cannot start {}: it has ended", program);
    int code = 0;
    ssize_t got = 0;
    do got = ::read(prepared.failure.read.number(), &code, sizeof code);
    while (got < 0 && errno == EINTR);
    if (got == static_cast<ssize_t>(sizeof code)) return failed("run", program, code);
    return {};
}

int status_of(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

}  // namespace

Result<ProcessMark> start_program(const ProgramOrder& order) {
    const auto& program = order.arguments.at(0);
    const auto environment = order.environment ? *order.environment : own_environment();
    auto prepared = TRY(prepare(order, environment));
    const pid_t pid = ::fork();
    if (pid == 0) become(prepared);
    if (pid < 0) return failed("start", program, errno);
    prepared.go.read.close();
    prepared.failure.write.close();

    const auto mark = mark_of(pid);
    Result<void> outcome;
    if (!mark) outcome = fail(ErrorKind::unavailable, "cannot start {}: it ended at once", program);
    if (outcome && !order.pid_file.empty()) outcome = write_file(order.pid_file, fmt::format("{} {}\n", mark->pid, mark->started));
    if (outcome) outcome = let_run(prepared, program);
    if (outcome) return *mark;
    ::kill(pid, SIGKILL);                 // our own child that nobody waited for: the number is still its own
    ::waitpid(pid, nullptr, 0);
    if (!order.pid_file.empty()) ::unlink(order.pid_file.c_str());
    return fail(outcome.error());
}

Result<int> wait_for(pid_t child, Duration wait) {
    int raw = 0;
    const auto process = RunningProcess::find(child);
    const bool over = !process || process->ended_within(wait);
    if (!over) process->signal(SIGKILL);
    if (::waitpid(child, &raw, 0) != child) return fail(ErrorKind::internal, "no child {} to wait for: {}", child, std::strerror(errno));
    if (!over) return fail(ErrorKind::timeout, "process {} did not end within {}", child, to_text(wait));
    return status_of(raw);
}

Result<void> end_child(pid_t child, Duration term_wait, Duration kill_wait) {
    if (const auto process = RunningProcess::find(child)) TRY(process->end(term_wait, kill_wait));
    ::waitpid(child, nullptr, WNOHANG);
    return {};
}

bool has_ended(pid_t child) { return ::waitpid(child, nullptr, WNOHANG) != 0; }

std::vector<std::string> own_environment() {
    std::vector<std::string> words;
    for (char** word = environ; word != nullptr && *word != nullptr; ++word) words.emplace_back(*word);
    return words;
}

std::string program_folder() {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

std::string program_on_path(const std::string& name) {
    const char* path = std::getenv("PATH");
    std::istringstream folders(fmt::format("{}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin", path == nullptr ? "" : path));
    for (std::string folder; std::getline(folders, folder, ':');) {
        const auto candidate = folder + "/" + name;
        if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    return {};
}

}  // namespace berth::os
