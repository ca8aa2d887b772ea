// SPDX-License-Identifier: Apache-2.0
// Which version of the Engine API is spoken: the newest that both sides know. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/reflect.hpp"
#include "base/result.hpp"

namespace berth::docker {

struct ApiVersion {
    unsigned major = 1;
    unsigned minor = 0;
    friend auto operator<=>(const ApiVersion&, const ApiVersion&) = default;
};

/// What berth needs at least (Docker 20.10, podman 4), and the newest that its calls were written for.
inline constexpr ApiVersion version_least{1, 41};
inline constexpr ApiVersion version_newest{1, 47};

/// "1.41"; nothing when the text is another.
std::optional<ApiVersion> parse_version(std::string_view text);
std::string to_text(ApiVersion version);

/// The engine speaks `newest` and, where it says so, nothing older than `oldest`. The error (conflict) is
/// one line that names both sides' versions and the way out.
Result<ApiVersion> choose_version(ApiVersion newest, std::optional<ApiVersion> oldest);

}  // namespace berth::docker
