// SPDX-License-Identifier: Apache-2.0
#include "cli/up/operator_token.hpp"

#include <unistd.h>

#include "base/rng.hpp"
#include "cli/up/state.hpp"
#ifdef BERTH_HAS_TOKENS
#include "gateway/tokens.hpp"
#endif

namespace berth::cli {

Result<void> mint_operator_token(const std::string& state, [[maybe_unused]] Instant now) {
#ifdef BERTH_HAS_TOKENS
    return gateway::keep_operator_token(state, now);
#else
    const auto path = state + "/token";
    if (::access(path.c_str(), F_OK) == 0) return {};
    return write_file(path, random_hex(32) + "\n", 0600);
#endif
}

}  // namespace berth::cli
