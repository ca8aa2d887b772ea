// SPDX-License-Identifier: Apache-2.0
// What the proxy says itself: one small page per refusal, as HTML for people and as problem+json for
// programs. The texts are fixed: nothing of a request is repeated in them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/access.hpp"

namespace berth::proxy {

/// POST drops the cookies of the previewed programs; a preview_root may follow.
inline constexpr std::string_view forget_path = "/_berth/forget-cookies";

struct Answer {
    unsigned status = 200;
    std::string_view type = "text/plain; charset=utf-8";
    std::string body;
    std::string location;       // of a redirect
    std::vector<std::string> cookies;   // Set-Cookie, never logged
    unsigned retry_after_s = 0; // 0: not said
};

/// Where the gateway gives a new link to whoever signs in; empty when nobody has said where it is.
std::string way_back(std::string_view gateway_url, const WorkspaceId& workspace);
/// Refusals that a new link would mend, or a start at the gateway, and nothing that the user has to read first.
bool is_led_back(Refusal why);

/// `detail` is a fixed text of head.cpp, or empty; `back` is a way_back, or empty; `root` is
/// the preview whose cookies are too large, or empty.
Answer refuse(Refusal why, std::string_view accept, std::string_view detail = {}, std::string_view back = {},
              std::string_view root = {});
Answer health();
Answer style_sheet();
Answer redirect(std::string location, std::string cookie);
/// After a POST: back to where the cookies came from, without them.
Answer forgotten(std::string location, std::vector<std::string> cookies);

}  // namespace berth::proxy
