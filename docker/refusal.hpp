// SPDX-License-Identifier: Apache-2.0
// An answer that is not what was asked for, as an error in the engine's own words.
#pragma once

#include <string_view>

#include "docker/client.hpp"

namespace berth::docker {

inline tl::unexpected<Error> refused(const Answer& answer, std::string_view what) {
    return fail(ErrorKind::unavailable, "the container engine refused to {}: {}", what, message_of(answer));
}

}  // namespace berth::docker
