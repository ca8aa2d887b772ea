// SPDX-License-Identifier: Apache-2.0
// One claim from asking to its end, told line by line: what `berth claim` and `berth start` do. Asks again
// by the key when the gateway, or a proxy before it, fails meanwhile.
#pragma once

#include "cli/gateway_client.hpp"

namespace berth::cli {

/// The gateway's answer, granted or still waiting, or why there is none. At most as long as order.wait.
Result<Json> claim_and_narrate(GatewayClient& gateway, const ClaimOrder& order);

/// The command that takes this claim up again.
std::string resume_command(const ClaimOrder& order);

/// An error when `claimed` is no workspace that can be opened: it ended, or it was granted and is over since.
Result<void> check_claimed(const Json& claimed);

std::string new_claim_key();

}  // namespace berth::cli
