// SPDX-License-Identifier: Apache-2.0
// Opening a link in the person's browser: $BROWSER, else xdg-open. The link holds a one-use token,
// so it goes to that program as its argument only after it was asked for, and to no log.
#pragma once

#include <string>

#include "cli/exit.hpp"
#include "base/result.hpp"

namespace berth::cli {

Result<Exit> open_in_browser(const std::string& link);

}  // namespace berth::cli
