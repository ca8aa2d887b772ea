// SPDX-License-Identifier: Apache-2.0
#include "cli/up/processes.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "cli/text.hpp"

namespace berth::cli {

namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

// After fork and before exec: only what signal-safety(7) allows.
[[noreturn]] void become(const SpawnOrder& order, char* const* arguments, char* const* environment, int log,
                         pid_t parent, int report) {
    ::setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(signal, SIG_DFL);
    if (order.when_parent_dies == WhenParentDies::ends) {
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (::getppid() != parent) ::_exit(1);  // it died in between
    }
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execve(arguments[0], arguments, environment);
    const int error = errno;
    [[maybe_unused]] const auto written = ::write(report, &error, sizeof error);
    ::_exit(127);
}

// Fields 3 (state) and 4 (parent) of /proc/<pid>/stat; the name before them may hold anything.
std::optional<std::pair<char, pid_t>> state_and_parent(pid_t pid) {
    const auto text = read_small_file(fmt::format("/proc/{}/stat", pid));
    const auto end_of_name = text.rfind(')');
    if (end_of_name == std::string::npos) return std::nullopt;
    std::istringstream rest(text.substr(end_of_name + 1));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    return rest ? std::optional{std::pair{state, parent}} : std::nullopt;
}

std::optional<pid_t> to_pid(std::string_view text) {
    pid_t pid = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc{} || pid <= 1) return std::nullopt;
    return pid;
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

}  // namespace

Result<pid_t> spawn(const SpawnOrder& order) {
    const auto& program = order.arguments.at(0);
    const int log = ::open(order.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) return fail(ErrorKind::internal, "cannot write {}: {}", order.log, ::strerror(errno));
    int report[2];
    if (::pipe2(report, O_CLOEXEC) != 0) {
        ::close(log);
        return fail(ErrorKind::internal, "no pipe for {}: {}", program, ::strerror(errno));
    }
    const auto arguments = pointers_to(order.arguments);
    const auto environment = pointers_to(order.environment);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) become(order, arguments.data(), environment.data(), log, parent, report[1]);
    const int fork_error = errno;
    ::close(log);
    ::close(report[1]);
    int exec_error = 0;
    const auto got = pid < 0 ? 0 : ::read(report[0], &exec_error, sizeof exec_error);
    ::close(report[0]);
    if (pid < 0) return fail(ErrorKind::internal, "cannot start {}: {}", program, ::strerror(fork_error));
    if (got > 0) {
        return fail(exec_error == ENOENT ? ErrorKind::not_found : ErrorKind::internal, "cannot run {}: {}", program,
                    ::strerror(exec_error));
    }
    return pid;
}

std::string read_small_file(const std::string& path) {
    std::ifstream file(path);
    std::string text(64 * 1024, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

bool is_alive(pid_t pid) {
    const auto found = state_and_parent(pid);
    return found && found->first != 'Z' && found->first != 'X';
}

std::string program_of(pid_t pid) {
    std::error_code error;
    auto name = std::filesystem::read_symlink(fmt::format("/proc/{}/exe", pid), error).filename().string();
    constexpr std::string_view replaced = " (deleted)";  // its file was built anew meanwhile
    if (name.ends_with(replaced)) name.resize(name.size() - replaced.size());
    return error ? std::string{} : name;
}

std::optional<pid_t> running_pid(const std::string& file, const std::string& program) {
    const auto pid = to_pid(read_small_file(file));
    if (!pid || !is_alive(*pid) || program_of(*pid) != program) return std::nullopt;
    return pid;
}

std::vector<pid_t> descendants_of(pid_t pid) {
    std::map<pid_t, std::vector<pid_t>> children;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
        const auto found = to_pid(entry.path().filename().string());
        if (!found) continue;
        if (const auto facts = state_and_parent(*found); facts && facts->first != 'Z') {
            children[facts->second].push_back(*found);
        }
    }
    std::vector<pid_t> found = children[pid];
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto& more = children[found[i]];
        found.insert(found.end(), more.begin(), more.end());
    }
    return found;
}

std::vector<pid_t> running_here(const std::string& program) {
    std::error_code error;
    const auto network = std::filesystem::read_symlink("/proc/self/ns/net", error);
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
        const auto pid = to_pid(entry.path().filename().string());
        if (!pid || program_of(*pid) != program || !is_alive(*pid)) continue;
        std::error_code gone;
        if (std::filesystem::read_symlink(entry.path() / "ns/net", gone) == network) found.push_back(*pid);
    }
    return found;
}

std::vector<std::string> mounts_below(const std::string& folder, const std::string& mountinfo) {
    std::vector<std::string> mounts;
    std::istringstream lines(mountinfo);
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string skipped, point;
        words >> skipped >> skipped >> skipped >> skipped >> point;
        point = unescaped(point);
        if (point.starts_with(folder + "/")) mounts.push_back(point);
    }
    std::stable_sort(mounts.begin(), mounts.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
    return mounts;
}

std::vector<std::string> last_lines(const std::string& path, std::size_t count, std::uint64_t from) {
    constexpr std::streamoff window = 64 * 1024;
    std::ifstream file(path);
    file.seekg(0, std::ios::end);
    const auto size = static_cast<std::streamoff>(file.tellg());
    const auto first = size < static_cast<std::streamoff>(from) ? 0 : static_cast<std::streamoff>(from);  // it was cut meanwhile
    if (size <= first) return {};
    file.seekg(std::max(first, size - window));
    std::vector<std::string> lines;
    std::string line;
    while (std::getline(file, line)) {
        if (!line.empty()) lines.push_back(printable(line.substr(0, 400)));
    }
    if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
    return lines;
}

}  // namespace berth::cli
