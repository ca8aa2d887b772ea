// SPDX-License-Identifier: Apache-2.0
// What the proxy says itself: one small page per refusal, as HTML for people and as problem+json for
// programs. The texts are fixed: nothing of a request is repeated in them.
#pragma once

#include <string>
#include <string_view>

#include "proxy/access.hpp"

namespace berth::proxy {

struct Answer {
    unsigned status = 200;
    std::string_view type = "text/plain; charset=utf-8";
    std::string body;
    std::string location;       // of a redirect
    std::string cookie;         // Set-Cookie, never logged
    unsigned retry_after_s = 0; // 0: not said
};

/// `detail` is a fixed text of head.cpp, or empty.
Answer refuse(Refusal why, std::string_view accept, std::string_view detail = {});
Answer health();
Answer style_sheet();
Answer redirect(std::string location, std::string cookie);

}  // namespace berth::proxy
