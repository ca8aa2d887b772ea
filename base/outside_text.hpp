// SPDX-License-Identifier: Apache-2.0
// Text that comes from outside: an environment variable, a file, a flag, a paste. Editors, shells and
// chat programs put line endings, blanks, byte order marks and invisible characters around it. One
// place takes them off, or refuses by name what can not be meant.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace berth {

/// Without blanks, line endings, byte order marks and invisible characters at both ends.
std::string trimmed_outside(std::string_view text);

/// An environment variable, trimmed; empty when it is not set.
std::string environment_text(const char* name);

/// The first line that is not empty, trimmed; empty when there is none or the file can not be read.
std::string first_line_of(const std::string& path);

/// Trimmed, and of visible ASCII alone, as a token or a URL is that goes into one line of HTTP. Else
/// an error that names `from` and the place of the first other character, never the text itself (I30).
Result<std::string> outside_word(std::string_view from, std::string_view text);

}  // namespace berth
