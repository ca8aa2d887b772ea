// SPDX-License-Identifier: Apache-2.0
// check(): a rule that only our own bug can break. It stays on in production: a process that knows
// it is wrong must stop before it acts (HACKING.md). Never used for input from outside.
#pragma once

#include <source_location>
#include <string_view>

namespace berth {

[[noreturn]] void check_failed(std::string_view rule, std::source_location where);

inline void check(bool holds, std::string_view rule,
                  std::source_location where = std::source_location::current()) {
    if (!holds) [[unlikely]] {
        check_failed(rule, where);
    }
}

}  // namespace berth
