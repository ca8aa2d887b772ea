// SPDX-License-Identifier: Apache-2.0
// What a request asks for, in the forms of RFC 9112, 3.2: a path; a whole URL, as proxies are sent it; "*".
#pragma once

#include <string>
#include <string_view>

namespace berth::gateway {

struct Target {
    std::string resource;                 // path and query, or "*"; empty: malformed
    std::string authority;                // of a whole URL, in lower case
};
Target target_of(std::string_view target, std::string_view method);

std::string lower(std::string_view text);

}  // namespace berth::gateway
