// SPDX-License-Identifier: Apache-2.0
#include "tests/support/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "base/check.hpp"

namespace berth::testing {

Child::Child(std::vector<std::string> arguments, const std::string& log) : log_(log) {
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const int out = ::open(log.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    check(out >= 0, "the log of a test's process can be opened");
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    check(pid_ >= 0, "a process can be started");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);       // a test that dies leaves nothing behind
        if (::getppid() != parent) ::_exit(127);
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::dup2(out, 1);
        ::dup2(out, 2);
        ::execv(argv.front(), argv.data());
        ::_exit(127);
    }
    ::close(out);
}

Child::~Child() {
    if (pid_ > 0 && alive()) kill();
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(other.status_), log_(std::move(other.log_)) {}

Child& Child::operator=(Child&& other) noexcept {
    if (this == &other) return *this;
    if (pid_ > 0 && alive()) kill();
    pid_ = std::exchange(other.pid_, -1);
    status_ = other.status_;
    log_ = std::move(other.log_);
    return *this;
}

bool Child::alive() { return pid_ > 0 && !wait(Duration{0}); }

void Child::signal(int number) {
    if (alive()) ::kill(pid_, number);
}

int Child::terminate(Duration within) {
    signal(SIGTERM);
    const auto status = wait(within);
    return status ? *status : -1;
}

std::optional<int> Child::wait(Duration within) {
    eventually([&] {
        if (status_ || pid_ <= 0) return true;
        int raw = 0;
        if (::waitpid(pid_, &raw, WNOHANG) != pid_) return false;
        status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
        return true;
    }, within);
    return status_;
}

bool eventually(const std::function<bool()>& is_so, Duration within) {
    const auto deadline = std::chrono::steady_clock::now() + within;
    while (!is_so()) {
        if (std::chrono::steady_clock::now() >= deadline) return false;
        ::poll(nullptr, 0, 5);
    }
    return true;
}

}  // namespace berth::testing
