// SPDX-License-Identifier: Apache-2.0
#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace berth {

void check_failed(std::string_view rule, std::source_location where) {
    std::fprintf(stderr, "berth: broken rule: %.*s (%s:%u in %s)\n", static_cast<int>(rule.size()),
                 rule.data(), where.file_name(), where.line(), where.function_name());
    std::fflush(stderr);
    std::abort();
}

}  // namespace berth
