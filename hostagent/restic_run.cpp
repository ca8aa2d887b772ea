// SPDX-License-Identifier: Apache-2.0
#include "hostagent/restic_run.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>

#include "base/descriptor.hpp"
#include "os/files.hpp"
#include "os/program.hpp"

namespace berth::hostagent {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t line_bytes_max = 256 * 1024;
constexpr std::size_t words_bytes_max = 2'000;      // of what it says beside JSON
constexpr Duration end_wait{2'000};
constexpr std::size_t environment_lines_max = 64;

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string one_line(std::string_view words) {
    std::string line;
    for (const char c : words) {
        const bool blank = static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
        if (!blank) line += c;
        else if (!line.empty() && line.back() != ' ') line += ' ';
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line.substr(0, 300);
}

// NAME=value lines; empty ones and those that begin with # say nothing.
Result<void> add_file(std::vector<std::string>& environment, const std::string& path) {
    const auto text = os::read_file(path);
    if (!text) return fail(text.error().kind, "the repository's environment file can not be read: {}", text.error().text);
    std::size_t lines = 0;
    for (std::size_t from = 0; from < text->size();) {
        const auto end = std::min(text->find('\n', from), text->size());
        const auto line = text->substr(from, end - from);
        from = end + 1;
        if (line.empty() || line[0] == '#') continue;
        if (line.find('=') == std::string::npos || ++lines > environment_lines_max) {
            return fail(ErrorKind::invalid, "{}: each line is NAME=value, at most {} of them", path, environment_lines_max);
        }
        environment.push_back(line);
    }
    return {};
}

Result<std::vector<std::string>> environment_of(const ResticSetup& setup, const HomeRule& rule) {
    std::vector<std::string> environment;
    for (const auto& one : os::own_environment()) {
        if (!one.starts_with("BERTH_") && !one.starts_with("RESTIC_")) environment.push_back(one);
    }
    environment.push_back("RESTIC_REPOSITORY=" + rule.repository);
    environment.push_back("RESTIC_PASSWORD_FILE=" + TRY(password_file_of(setup, rule)));
    environment.push_back("RESTIC_CACHE_DIR=" + setup.state + "/restic-cache");
    environment.push_back("RESTIC_PROGRESS_FPS=" + fmt::format("{:.3f}", 1'000.0 / static_cast<double>(std::max<std::int64_t>(setup.progress_every.count(), 1))));
    if (!rule.environment_file.empty()) TRY(add_file(environment, rule.environment_file));
    return environment;
}

std::uint64_t written_by(pid_t child) {
    const auto text = os::read_file(fmt::format("/proc/{}/io", child));
    if (!text) return 0;
    const auto at = text->find("wchar: ");
    return at == std::string::npos ? 0 : std::strtoull(text->c_str() + at + 7, nullptr, 10);
}

}  // namespace

Error restic_error(const HomeRule& rule, const std::string& password_file, std::string_view words) {
    const auto said = one_line(words);
    const auto where = fmt::format("the repository of homes {}", rule.repository);
    if (has(said, "wrong password") || has(said, "no key found")) {
        return {ErrorKind::denied, fmt::format("{} has another password than {} holds; put the right one there", where, password_file)};
    }
    if (has(said, "already locked")) {
        return {ErrorKind::conflict, fmt::format("{} is locked; when nobody works on it any more: RESTIC_PASSWORD_FILE={} restic -r {} unlock ({})", where,
                                                 password_file, rule.repository, said)};
    }
    if (has(said, "no space left") || has(said, "quota") || has(said, "Quota") || has(said, "507")) {
        return {ErrorKind::no_capacity, fmt::format("{} is full; make room there, nothing is lost meanwhile ({})", where, said)};
    }
    const bool absent = has(said, "no such file") || has(said, "does not exist") || has(said, "404");
    if (has(said, "Is there a repository") && absent) {
        return {ErrorKind::not_found, fmt::format("there is none at {}; if it is new, make it once: RESTIC_PASSWORD_FILE={} restic -r {} init; else mount what it is on",
                                                  rule.repository, password_file, rule.repository)};
    }
    if (has(said, "Is there a repository") || has(said, "connection refused") || has(said, "no route") || has(said, "timeout") || has(said, "unable to start the sftp")) {
        return {ErrorKind::unavailable, fmt::format("{} is not reached ({})", where, said)};
    }
    if (has(said, "no matching ID") || has(said, "no snapshot found")) return {ErrorKind::not_found, fmt::format("{} does not have it ({})", where, said)};
    if (has(said, "ciphertext verification") || has(said, "invalid data") || has(said, "does not match id") || has(said, "not found in index") ||
        has(said, "not found in repository") || has(said, "unexpected EOF") || has(said, "invalid character")) {
        return {ErrorKind::internal, fmt::format("{} is damaged: RESTIC_PASSWORD_FILE={} restic -r {} check says where ({})", where, password_file, rule.repository, said)};
    }
    return {ErrorKind::internal, fmt::format("{}: restic failed ({})", where, said.empty() ? "it said nothing" : said)};
}

Result<std::string> password_file_of(const ResticSetup& setup, const HomeRule& rule) {
    auto file = rule.password_file;
    const char* credentials = std::getenv("CREDENTIALS_DIRECTORY");
    if (file.empty() && credentials != nullptr && ::access((std::string{credentials} + "/home-password").c_str(), R_OK) == 0) file = std::string{credentials} + "/home-password";
    if (file.empty()) file = setup.state + "/home-password";
    if (::access(file.c_str(), R_OK) == 0) return file;
    return fail(ErrorKind::denied, "the password of the repository of homes can not be read from {}: write it there, 0600 (or name another file in home_password_file of the pool)", file);
}

Result<int> run_restic(const ResticSetup& setup, const HomeRule& rule, const ResticCall& call) {
    const auto program = setup.program.empty() ? os::program_on_path("restic") : setup.program;
    if (program.empty()) return fail(ErrorKind::not_found, "restic is not on this machine: apt-get install restic");
    const auto password_file = TRY(password_file_of(setup, rule));
    os::ProgramOrder order{.environment = TRY(environment_of(setup, rule)), .when_parent_dies = SIGKILL};
    if (!call.folder.empty()) order.arguments = {os::program_on_path("env"), "-C", call.folder};
    order.arguments.push_back(program);
    order.arguments.insert(order.arguments.end(), call.arguments.begin(), call.arguments.end());
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return os::failed("make a pipe for", program, errno);
    const Descriptor reading{ends[0]};
    std::optional<Descriptor> writing{std::in_place, ends[1]};
    order.answers = writing->number();
    const auto child = TRY(os::start_program(order));
    writing.reset();

    const auto until = Clock::now() + setup.deadline;
    auto look_at = Clock::now() + setup.progress_every;
    std::string rest;
    std::string words;
    const auto take_line = [&](std::string line) {
        if (!line.empty() && line[0] != '{' && line[0] != '[' && words.size() < words_bytes_max) words += line + "\n";
        if (call.on_line) call.on_line(line);
    };
    for (;;) {
        if (Clock::now() >= until) {
            (void)os::end_child(child.pid, end_wait, end_wait);
            return fail(ErrorKind::timeout, "restic was not done with {} within {} (hostagent.home_deadline)", rule.repository, to_text(setup.deadline));
        }
        pollfd poll{.fd = reading.number(), .events = POLLIN, .revents = 0};
        const auto ready = ::poll(&poll, 1, static_cast<int>(std::clamp<std::int64_t>(setup.progress_every.count(), 10, 1'000)));
        if (call.on_written && Clock::now() >= look_at) {
            call.on_written(written_by(child.pid));
            look_at = Clock::now() + setup.progress_every;
        }
        if (ready <= 0) continue;
        std::array<char, 16'384> buffer{};
        const auto got = ::read(reading.number(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        rest.append(buffer.data(), static_cast<std::size_t>(got));
        for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
            take_line(rest.substr(0, end));
            rest.erase(0, end + 1);
        }
        if (rest.size() > line_bytes_max) rest.clear();
    }
    if (!rest.empty()) take_line(rest);
    const auto left = std::chrono::duration_cast<Duration>(until - Clock::now());
    const auto status = TRY(os::wait_for(child.pid, std::max(left, end_wait)));
    if (status == 0 || status == restic_left_files_out) return status;
    if (status > 128) return fail(ErrorKind::unavailable, "restic was ended by signal {}", status - 128);
    return fail(restic_error(rule, password_file, words));
}

}  // namespace berth::hostagent
