// SPDX-License-Identifier: Apache-2.0
#include "cli/browser.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "base/outside_text.hpp"
#include "base/rng.hpp"
#include "cli/command.hpp"
#include "cli/text.hpp"
#include "os/files.hpp"
#include "os/program.hpp"

namespace berth::cli {

namespace {

constexpr std::chrono::milliseconds link_life{60'000};
constexpr std::chrono::milliseconds fails_within{1'000};   // a browser that lives that long, or ends well, is one that opened
constexpr std::chrono::milliseconds read_again_within{2'000};  // some look twice at a page
constexpr std::chrono::milliseconds look_every{50};
constexpr const char* usual_browsers = "xdg-open:sensible-browser";
constexpr int cannot_start = 256;         // above every exit number; the errno is added

using Clock = std::chrono::steady_clock;

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&') out += "&amp;";
        else if (c == '<') out += "&lt;";
        else if (c == '"') out += "&quot;";
        else out += c;
    }
    return out;
}

std::string folder_for_pages() {
    const auto runtime = environment_text("XDG_RUNTIME_DIR");
    std::error_code error;
    return !runtime.empty() && std::filesystem::is_directory(runtime, error) ? runtime : "/tmp";
}

// What an earlier call could not take away, because it was killed.
void remove_old_pages(const std::string& folder) {
    const auto prefix = fmt::format("berth-open-{}", ::getuid());
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        struct stat facts = {};
        const auto path = entry.path().string();
        if (!entry.path().filename().string().starts_with(prefix) || ::lstat(path.c_str(), &facts) != 0) continue;
        if (facts.st_uid == ::getuid() && facts.st_mtime + 60 < ::time(nullptr)) ::unlink(path.c_str());
    }
}

void run_browser(const std::vector<std::string>& command) {
    std::vector<char*> words;
    for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    ::signal(SIGPIPE, SIG_DFL);
    ::execvp(words.front(), words.data());
}

// The child that stays: starts the browser, tells what came of it (0, its exit number, or why it could not be
// started), and takes the page away once it was read or its link is over.
[[noreturn]] void keep_page(const std::string& page, const std::vector<std::string>& command, int tell_fd) {
    ::setsid();
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing, fd);
    const int watch = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch >= 0) ::inotify_add_watch(watch, page.c_str(), IN_CLOSE_NOWRITE);
    int failed[2] = {-1, -1};
    const bool piped = ::pipe2(failed, O_CLOEXEC) == 0;
    const auto begun = Clock::now();
    const pid_t browser = ::fork();
    if (browser == 0) {
        run_browser(command);
        const int why = errno;
        if (piped) (void)!::write(failed[1], &why, sizeof why);
        ::_exit(127);
    }
    if (piped) ::close(failed[1]);
    bool told = false;
    const auto tell = [&](int code) {
        if (!std::exchange(told, true)) (void)!::write(tell_fd, &code, sizeof code);
        ::close(tell_fd);
        if (code == 0) return;
        ::unlink(page.c_str());
        ::_exit(0);
    };
    int why = 0;
    if (browser < 0) tell(cannot_start + EAGAIN);
    if (piped && ::read(failed[0], &why, sizeof why) == static_cast<ssize_t>(sizeof why)) tell(cannot_start + why);
    bool lives = true;
    auto until = begun + link_life;
    while (Clock::now() < until) {
        int status = 0;
        if (lives && ::waitpid(browser, &status, WNOHANG) == browser) {
            lives = false;
            if (!told) tell(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
        if (!told && Clock::now() >= begun + fails_within) tell(0);
        pollfd seen{watch, POLLIN, 0};
        if (::poll(&seen, watch >= 0 ? 1 : 0, static_cast<int>(look_every.count())) > 0) {
            char events[4096];
            while (::read(watch, events, sizeof events) > 0) {}
            until = std::min(until, Clock::now() + read_again_within);
        }
    }
    if (!told) tell(0);
    ::unlink(page.c_str());
    ::_exit(0);
}

// What the child above told: 0 when the browser opened.
Result<int> start(const std::string& page, const std::vector<std::string>& command) {
    int told[2] = {-1, -1};
    if (::pipe2(told, O_CLOEXEC) != 0) return fail(ErrorKind::internal, "cannot make a pipe: {}", std::strerror(errno));
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::close(told[0]);
        keep_page(page, command, told[1]);
    }
    const int why = errno;
    ::close(told[1]);
    int code = 0;
    ssize_t got = 0;
    if (pid > 0) {
        do got = ::read(told[0], &code, sizeof code);
        while (got < 0 && errno == EINTR);
    }
    ::close(told[0]);
    if (pid < 0) return fail(ErrorKind::internal, "cannot start a process: {}", std::strerror(why));
    return got == static_cast<ssize_t>(sizeof code) ? code : 0;
}

std::string failure(const std::string& program, int code) {
    if (code >= cannot_start) return fmt::format("cannot start {}: {}", printable(program), std::strerror(code - cannot_start));
    return fmt::format("{} failed ({} {})", printable(program), code > 128 ? "signal" : "exit", code > 128 ? code - 128 : code);
}

}  // namespace

std::vector<std::vector<std::string>> browser_commands(const std::string& named, const std::string& page) {
    std::vector<std::vector<std::string>> commands;
    for (const auto& one : split(named, ':')) {
        auto words = split(one, ' ');
        if (words.empty()) continue;
        bool placed = false;
        for (auto& word : words) {
            for (auto at = word.find("%s"); at != std::string::npos; at = word.find("%s", at + page.size())) {
                word.replace(at, 2, page);
                placed = true;
            }
        }
        if (!placed) words.push_back(page);
        commands.push_back(std::move(words));
    }
    return commands;
}

Result<Exit> open_in_browser(const std::string& link, LinkGoes where) {
    const auto show = [&] { where == LinkGoes::to_stdout ? print(link + "\n") : remark("  " + link); };
    const auto chosen = environment_text("BROWSER");
    const auto folder = folder_for_pages();
    remove_old_pages(folder);
    // Every user of this machine can read an argument list, so the browser gets a file of ours.
    const auto page = fmt::format("{}/berth-open-{}-{}.html", folder, ::getuid(), random_hex(6));
    std::string problems;
    for (const auto& command : browser_commands(chosen.empty() ? usual_browsers : chosen, "file://" + page)) {
        if (chosen.empty() && os::program_on_path(command.front()).empty()) continue;
        TRY(os::write_file(page, fmt::format("<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">"
                                         "<meta http-equiv=\"refresh\" content=\"0;url={}\"><title>berth</title>\n", escaped(link)), 0600));
        const auto code = start(page, command);
        if (code && *code == 0) {
            remark("opening in the browser; if nothing opens, this link works once, within 60 s:");
            show();
            return Exit::ok;
        }
        ::unlink(page.c_str());
        problems += (problems.empty() ? "" : "; ") + (code ? failure(command.front(), *code) : code.error().text);
    }
    if (problems.empty()) {
        remark("no browser to open here (set BROWSER); this link works once, within 60 s:");
        show();
        return Exit::ok;
    }
    remark(problems + ". This link works once, within 60 s:");
    show();
    return Exit::failed;
}

}  // namespace berth::cli
