// SPDX-License-Identifier: Apache-2.0
// What `berth login` got: the gateway and its token, in <config>/login.json (0600).
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"

namespace berth::cli {

struct KeptLogin {
    std::string url;
    std::string token;
};

/// $XDG_CONFIG_HOME/berth/login.json, ~/.config/berth/login.json.
Result<std::string> login_file();
/// Nothing when there is none, or no folder of one's own to hold it.
Result<std::optional<KeptLogin>> kept_login();
Result<void> keep_login(const KeptLogin& login);
Result<void> forget_login();

}  // namespace berth::cli
