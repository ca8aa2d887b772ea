// SPDX-License-Identifier: Apache-2.0
#include "cli/up/operator_token.hpp"

#include "gateway/tokens.hpp"

namespace berth::cli {

Result<void> mint_operator_token(const std::string& state, Instant now) {
    return gateway::keep_operator_token(state, now);
}

}  // namespace berth::cli
