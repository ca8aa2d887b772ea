// SPDX-License-Identifier: Apache-2.0
#include "base/ids.hpp"

#include <cctype>

namespace berth {

bool is_dns_label(std::string_view id) {
    return !id.empty() && id.size() <= 63 && id.front() != '-' &&
           id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

Result<void> check_name(std::string_view what, std::string_view name) {
    constexpr std::size_t longest = 64;
    const auto legal = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '@' || c == '-';
    };
    bool good = !name.empty() && name.size() <= longest && name.front() != '.' && name.front() != '-' &&
                name.find("..") == std::string_view::npos;
    for (char c : name) good = good && legal(c);
    if (!good) {
        return fail(ErrorKind::invalid,
                    "the {} name must be 1 to {} of a-z A-Z 0-9 . _ @ - without '..', not starting with '.' or '-'",
                    what, longest);
    }
    return {};
}

}  // namespace berth
