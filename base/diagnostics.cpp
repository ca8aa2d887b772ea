// SPDX-License-Identifier: Apache-2.0
#include "base/diagnostics.hpp"

#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/clock.hpp"

namespace berth {

namespace {

struct Identity {
    std::string service = "berth";
    std::string instance;
    bool json = true;
    LineSink diverted;
};

Identity& identity() {
    static Identity of_process;
    return of_process;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
        case LogLevel::debug: return spdlog::level::debug;
        case LogLevel::info: return spdlog::level::info;
        case LogLevel::warn: return spdlog::level::warn;
        case LogLevel::error: return spdlog::level::err;
    }
    return spdlog::level::err;
}

std::string json_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    nlohmann::ordered_json line;
    line["ts"] = to_rfc3339(RealClock{}.now());
    line["level"] = to_string(level);
    line["service"] = identity().service;
    if (!identity().instance.empty()) line["instance"] = identity().instance;
    line["event"] = event;
    for (const auto& field : fields) line[std::string{field.key}] = field.value;
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string plain_line(std::string_view event, std::initializer_list<LogField> fields) {
    std::string line = fmt::format("{:<10} {:<28}", identity().service, event);
    for (const auto& field : fields) line += fmt::format(" {}={}", field.key, field.value);
    return line;
}

}  // namespace

void start_diagnostics(std::string_view service, std::string_view instance, LogLevel least) {
    identity() = {std::string{service}, std::string{instance}, isatty(STDERR_FILENO) == 0, {}};
    auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>();
    auto logger = std::make_shared<spdlog::logger>("berth", sink);
    logger->set_pattern(identity().json ? "%v" : "%T.%e %^%-5l%$ %v");
    logger->set_level(to_spdlog(least));
    logger->flush_on(spdlog::level::debug);
    spdlog::set_default_logger(logger);
}

void divert_diagnostics(LineSink to) { identity().diverted = std::move(to); }

Result<LogLevel> parse_log_level(std::string_view text) {
    if (const auto level = enum_from<LogLevel>(text)) return *level;
    return fail(ErrorKind::invalid, "'{}' is not a log level; use debug, info, warn or error", text);
}

bool is_logged(LogLevel level) { return identity().diverted || spdlog::should_log(to_spdlog(level)); }

void log_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    if (const auto& to = identity().diverted) return to(level, event, fields);
    if (!is_logged(level)) return;
    spdlog::log(to_spdlog(level), "{}",
                identity().json ? json_line(level, event, fields) : plain_line(event, fields));
}

}  // namespace berth
