// SPDX-License-Identifier: Apache-2.0
// Diagnostics of a process: one line per decision, on stderr. JSON when stderr is no terminal, else
// a short coloured line. Never the record of anything (that is the ledger), never a secret (I30).
// An error line means that a test fails. Cores do not log: they return reasons.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/line.hpp"
#include "base/reflect.hpp"
#include "base/result.hpp"

namespace berth {

struct LogField {
    std::string_view key;
    std::string value;

    template <class T>
    LogField(std::string_view name, const T& from) : key(name) {
        if constexpr (requires { from.value; }) {
            value = fmt::format("{}", from.value);
        } else if constexpr (NamedEnum<T>) {
            value = std::string{to_string(from)};
        } else {
            value = fmt::format("{}", from);
        }
    }
};

/// Once per process, before the first line. `service` is the process's name, `instance` may be empty.
void start_diagnostics(std::string_view service, std::string_view instance, LogLevel least);
/// Lines go there instead, for a program that holds many processes (the simulated world); empty: to stderr again.
using LineSink = std::function<void(LogLevel, std::string_view event, std::initializer_list<LogField> fields)>;
void divert_diagnostics(LineSink to);
Result<LogLevel> parse_log_level(std::string_view text);

/// Whether a line of that level goes anywhere: for those who say so much that making it costs.
bool is_logged(LogLevel level);
/// `event` is a fixed word such as "claim.granted"; what varies goes into the fields.
void log_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

inline void log_line(const Line& line) { log_line(line.level, line.event, {{"subject", line.subject}, {"why", line.why}}); }
inline void log_info(std::string_view event, std::initializer_list<LogField> fields = {}) {
    log_line(LogLevel::info, event, fields);
}
inline void log_warn(std::string_view event, std::initializer_list<LogField> fields = {}) {
    log_line(LogLevel::warn, event, fields);
}
inline void log_error(std::string_view event, std::initializer_list<LogField> fields = {}) {
    log_line(LogLevel::error, event, fields);
}

}  // namespace berth
