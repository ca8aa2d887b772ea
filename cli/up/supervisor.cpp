// SPDX-License-Identifier: Apache-2.0
#include "cli/up/supervisor.hpp"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/check.hpp"
#include "base/exit.hpp"
#include "cli/text.hpp"
#include "cli/up/processes.hpp"
#include "os/files.hpp"
#include "os/program.hpp"

namespace berth::cli {

namespace {

std::string ending_of(int status) {
    if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
    return fmt::format("exit {}", WEXITSTATUS(status));
}

// What a program says when it gives up: the line "berth-<name>: …" on stderr.
std::string reason_of(const std::string& name, const std::vector<std::string>& lines) {
    const auto before = "berth-" + name + ": ";
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        if (line->starts_with(before)) return line->substr(before.size());
    }
    return {};
}

std::uint64_t size_of(const std::string& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    return error ? 0 : size;
}

bool exists(const std::string& path) {
    std::error_code error;
    return std::filesystem::exists(path, error);
}

}  // namespace

Signals::Signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    check(fd_ >= 0, "a signalfd can be made");
}

Signals::~Signals() { ::close(fd_); }

void Signals::wait(Duration at_most) {
    pollfd waited{fd_, POLLIN, 0};
    ::poll(&waited, 1, static_cast<int>(std::max<std::int64_t>(0, at_most.count())));
    signalfd_siginfo one = {};
    while (::read(fd_, &one, sizeof one) == sizeof one) {
        if (one.ssi_signo != SIGCHLD) ++stops_;
    }
}

Supervisor::Supervisor(const Clock& clock, const UpPolicy& policy, Signals& signals, Say& say,
                       std::vector<std::string> environment)
    : clock_(clock),
      policy_(policy),
      signals_(signals),
      say_(say),
      environment_(std::move(environment)),
      next_log_check_(clock.now() + policy.log_check) {}

Supervisor::Child* Supervisor::find(const std::string& name) {
    const auto at = std::find_if(children_.begin(), children_.end(),
                                 [&](const Child& child) { return child.service.name == name; });
    return at == children_.end() ? nullptr : &*at;
}

bool Supervisor::is_ready(const std::string& name) const {
    for (const auto& child : children_) {
        if (child.service.name == name) return child.pid != 0 && child.ready;
    }
    return false;
}

Result<void> Supervisor::launch(Child& child) {
    TRY(os::remove_file(child.service.ready));
    rotate_log(child.service.log, policy_.log_bytes_max);
    child.ready = false;
    child.started_at = clock_.now();
    child.log_from = size_of(child.service.log);
    child.pid = TRY(os::start_program({.arguments = child.service.arguments, .environment = environment_, .output = child.service.log,
                                       .leads = os::Leads::group, .when_parent_dies = SIGTERM})).pid;
    // For the next `up`, should this one be killed and the process hang on.
    return os::write_file(child.service.pid_file, fmt::format("{}\n", child.pid));
}

Result<void> Supervisor::start(const Service& service) {
    check(find(service.name) == nullptr, "a service is started once");
    children_.push_back({service, Restarts{policy_}});
    auto& child = children_.back();
    child.wanted = false;  // not restarted before it was ready once
    TRY(launch(child));
    const auto pid = child.pid;
    wait_until([&] { return exists(service.ready) || child.pid == 0; }, child.started_at + policy_.ready_within,
               OnStop::give_up);
    if (signals_.stops() > 0) return {};
    if (child.pid != 0 && exists(service.ready)) {
        child.ready = child.wanted = true;
        say_.step(service.name, fmt::format("ready in {} (pid {})", elapsed(clock_.now() - child.started_at), pid));
        return {};
    }
    return fail(did_not_start(child));
}

Error Supervisor::did_not_start(const Child& child) const {
    const auto& service = child.service;
    if (child.pid != 0) {
        return {ErrorKind::timeout, fmt::format("the {} was not ready within {}; its log is {}", service.name,
                                                to_text(policy_.ready_within), service.log)};
    }
    const auto lines = last_lines(service.log, policy_.log_lines_shown, child.log_from);
    const auto kind = WIFEXITED(child.status) ? kind_of_exit(WEXITSTATUS(child.status)) : ErrorKind::unavailable;
    if (const auto reason = reason_of(service.name, lines); !reason.empty()) {
        return {kind, fmt::format("the {} can not start: {}\n  its log is {}", service.name, reason, service.log)};
    }
    std::string shown;
    for (const auto& line : lines) shown += "\n    " + line;
    return {kind, fmt::format("the {} ended before it was ready ({}); its last words in {}:{}", service.name,
                              ending_of(child.status), service.log, shown.empty() ? "\n    (none)" : shown)};
}

void Supervisor::reap() {
    int status = 0;
    while (true) {
        const pid_t ended = ::waitpid(-1, &status, WNOHANG);
        if (ended <= 0) return;
        for (auto& child : children_) {
            if (child.pid != ended) continue;
            child.pid = 0;
            child.ready = false;
            child.status = status;
            if (!child.wanted) continue;
            const auto now = clock_.now();
            child.next_start = child.restarts.next_start(child.started_at, now);
            auto reason = reason_of(child.service.name, last_lines(child.service.log, policy_.log_lines_shown, child.log_from));
            if (reason.empty()) reason = "see " + child.service.log;
            say_.warn(child.service.name, fmt::format("ended ({}); starts again in {} (restart {}): {}", ending_of(status),
                                                      to_text(child.next_start - now), child.restarts.total(), reason));
        }
    }
}

void Supervisor::look_after() {
    reap();
    const auto now = clock_.now();
    for (auto& child : children_) {
        if (child.wanted && child.pid == 0 && now >= child.next_start) {
            if (const auto launched = launch(child); !launched) {
                child.next_start = child.restarts.next_start(child.started_at, now);
                say_.warn(child.service.name, launched.error().text);
            }
        }
        if (child.pid != 0 && !child.ready && exists(child.service.ready)) {
            child.ready = true;
            if (child.wanted) say_.step(child.service.name, fmt::format("ready again (pid {})", child.pid));
        }
    }
    if (now >= next_log_check_) {
        next_log_check_ = now + policy_.log_check;
        for (const auto& child : children_) rotate_log(child.service.log, policy_.log_bytes_max);
    }
}

void Supervisor::run() {
    while (signals_.stops() == 0) {
        look_after();
        auto wait = policy_.log_check;
        for (const auto& child : children_) {
            if (!child.wanted || child.ready) continue;
            wait = std::min(wait, child.pid != 0 ? policy_.tick * 5 : child.next_start - clock_.now());
        }
        signals_.wait(wait);
    }
}

Instant Supervisor::hurried(Instant deadline) {
    if (signals_.stops() < 2) return deadline;
    if (!hurry_said_) {
        hurry_said_ = true;
        hurry_deadline_ = clock_.now() + policy_.hurry_within;
        say_.warn("stop", "asked again: hurrying");
    }
    return std::min(deadline, hurry_deadline_);
}

bool Supervisor::wait_until(const std::function<bool()>& done, Instant deadline, OnStop on_stop) {
    while (true) {
        reap();
        if (done()) return true;
        if (clock_.now() >= hurried(deadline)) return false;
        if (on_stop == OnStop::give_up && signals_.stops() > 0) return false;
        signals_.wait(policy_.tick);
    }
}

void Supervisor::end(const std::string& name, Instant deadline) {
    auto* child = find(name);
    if (child == nullptr) return;
    child->wanted = false;
    if (child->pid == 0) return;
    const auto pid = child->pid;
    end_pids({pid}, deadline);
    for (const auto& file : {child->service.ready, child->service.pid_file}) (void)os::remove_file(file);   // the next `up` looks twice
}

void Supervisor::end_all(Instant deadline) {
    for (auto& child : children_) child.wanted = false;
    for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
        if (child->pid != 0) end(child->service.name, deadline);
    }
}

void Supervisor::end_pids(const std::vector<pid_t>& pids, Instant deadline) {
    const auto all_gone = [&] { return std::none_of(pids.begin(), pids.end(), is_alive); };
    for (const auto pid : pids) ::kill(pid, SIGTERM);
    if (wait_until(all_gone, deadline, OnStop::go_on)) return;
    for (const auto pid : pids) {
        if (!is_alive(pid)) continue;
        say_.warn("stop", fmt::format("{} (pid {}) did not end in time: killed", os::program_of(pid), pid));
        ::kill(::getpgid(pid) == pid ? -pid : pid, SIGKILL);
    }
    const auto killed_by = clock_.now() + policy_.killed_within;
    while (!all_gone() && clock_.now() < killed_by) {
        signals_.wait(policy_.tick);
        reap();
    }
}

void rotate_log(const std::string& path, std::uint64_t bytes_max) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (error || size <= bytes_max) return;
    // Copied and cut, not renamed: the writer appends, so it goes on at the new end.
    std::filesystem::copy_file(path, path + ".1", std::filesystem::copy_options::overwrite_existing, error);
    if (!error) std::filesystem::resize_file(path, 0, error);
}

}  // namespace berth::cli
