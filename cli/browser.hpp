// SPDX-License-Identifier: Apache-2.0
// Hands a one-use link to the person's browser, without showing it to other users of the machine, and
// says what came of it. The link itself is always printed too: a browser may see another /tmp.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/exit.hpp"

namespace berth::cli {

/// Where the link is printed: a command whose output is something else says it on stderr.
enum class LinkGoes { to_stdout, to_stderr };
Result<Exit> open_in_browser(const std::string& link, LinkGoes where);

/// The commands that $BROWSER names, in order: "firefox:chromium --new-window %s". %s is the page; without one it
/// comes last.
std::vector<std::vector<std::string>> browser_commands(const std::string& named, const std::string& page);

}  // namespace berth::cli
