// SPDX-License-Identifier: Apache-2.0
#include "cli/command.hpp"

#include <fmt/format.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>

#include "base/outside_text.hpp"
#include "cli/text.hpp"
#include "cli/up/plan.hpp"

namespace berth::cli {

CLI::App* Commands::add(const std::string& name, const std::string& group, const std::string& meaning,
                        const std::string& example) {
    auto* command = app_.add_subcommand(name, meaning);
    command->group(group);
    command->footer("\nExample:\n  " + example);
    command->fallthrough();
    return command;
}

void Commands::set_action(CLI::App* command, Action action) {
    command->callback([this, action = std::move(action)] { chosen_ = action; });
}

void Commands::add_output(CLI::App* command, const std::vector<std::string>& formats) {
    command->add_option("-o,--output", shared_.format, "how to print")
        ->check(CLI::IsMember(formats))
        ->default_str(shared_.format);
    command->add_option("--columns", shared_.columns, "columns to print, by name, separated by commas")
        ->delimiter(',')
        ->type_name("NAMES");
}

bool Shared::colour_on_stdout() const {
    const auto choice = colour == "always" ? ColourChoice::always
                        : colour == "never" ? ColourChoice::never
                                            : ColourChoice::automatic;
    return colour_wanted(choice, ::isatty(STDOUT_FILENO) == 1);
}

Result<Look> Shared::look() const {
    const auto chosen = enum_from<Format>(format);
    if (!chosen) return fail(ErrorKind::invalid, "no output format '{}'", format);
    return Look{*chosen, columns, colour_on_stdout(), terminal_columns(STDOUT_FILENO)};
}

Result<std::string> Shared::state_folder() const {
    std::map<std::string, std::string> environment;
    for (const char* name : {"BERTH_STATE", "XDG_STATE_HOME", "HOME"}) environment[name] = environment_text(name);
    std::error_code error;
    return cli::state_folder(trimmed_outside(state), environment, std::filesystem::current_path(error).string());
}

namespace {

int& why_output_failed() {
    static int why = 0;                   // there is one stdout, and what happened to it stays true
    return why;
}

}  // namespace

void print(const std::string& text) {
    if (why_output_failed() != 0) return;
    errno = 0;
    const bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    if (std::fflush(stdout) != 0 || !whole) why_output_failed() = errno != 0 ? errno : EIO;
}

// Also when nothing is to be written for long: who follows a stream ends with its reader.
bool output_is_lost() {
    pollfd out{STDOUT_FILENO, 0, 0};
    if (why_output_failed() == 0 && ::poll(&out, 1, 0) > 0 && (out.revents & POLLERR) != 0) why_output_failed() = EPIPE;
    return why_output_failed() != 0;
}

int finish_output(int exit) {
    errno = 0;
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        if (why_output_failed() == 0) why_output_failed() = errno != 0 ? errno : EIO;
    }
    const int why = why_output_failed();
    if (why == 0) return exit;
    // Whoever closed the pipe has read enough, and wants to hear nothing of it.
    if (why != EPIPE) complain({ErrorKind::unavailable, fmt::format("cannot write the output: {}", std::strerror(why))});
    return exit == 0 ? static_cast<int>(Exit::failed) : exit;
}

void open_standard_streams() {
    // A closed one would be taken by the next file or socket, and what is printed would go there.
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) (void)!::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

void remark(const std::string& text) {
    tell(text + "\n");
}

void complain(const Error& error) {
    std::string text;
    for (const auto& line : split(error.text, '\n')) text += (text.empty() ? "" : "\n") + printable(line);
    const bool colour = colour_wanted(ColourChoice::automatic, ::isatty(STDERR_FILENO) == 1);
    tell(fmt::format("{}error:{} {}\n", colour ? "\033[31m" : "", colour ? "\033[0m" : "", text));
}

Result<Duration> duration_flag(const std::string& flag, const std::string& text) {
    auto parsed = parse_duration(text);
    if (!parsed) return fail(ErrorKind::invalid, "{}: {}", flag, parsed.error().text);
    return parsed;
}

Result<Instant> moment_flag(const std::string& flag, const std::string& text, Instant now) {
    if (const auto exact = from_rfc3339(text)) return *exact;
    std::tm clock{};
    const char* end = ::strptime(text.c_str(), "%H:%M", &clock);
    if (end == nullptr || *end != '\0') {
        const auto length = duration_flag(flag, text);
        if (length) return now + *length;
        return fail(ErrorKind::invalid, "{} {}: a time of day (22:00), a length (30m) or a date and time (2026-11-27T22:00:00Z)", flag, text);
    }
    const auto seconds = static_cast<std::time_t>(now.time_since_epoch().count() / 1'000);
    std::tm day{};
    ::localtime_r(&seconds, &day);
    day.tm_hour = clock.tm_hour;
    day.tm_min = clock.tm_min;
    day.tm_sec = 0;
    day.tm_isdst = -1;
    auto at = std::mktime(&day);
    if (at <= seconds) {
        ++day.tm_mday;
        day.tm_isdst = -1;
        at = std::mktime(&day);
    }
    return Instant{Duration{static_cast<std::int64_t>(at) * 1'000}};
}

std::string own_user() {
    if (auto user = environment_text("USER"); !user.empty()) return user;
    const auto* entry = ::getpwuid(::getuid());
    return entry == nullptr ? std::string{} : entry->pw_name;
}

}  // namespace berth::cli
