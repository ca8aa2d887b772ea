// SPDX-License-Identifier: Apache-2.0
// All processes of one environment: those of its leader's session, and those that bear its mark in
// their environment, so that one which began a session of its own is found as well.
#pragma once

#include <cstdint>
#include <string>
#include <vector>
#include <vector>

#include "hostagent/engine.hpp"
#include "os/process.hpp"

namespace berth {

/// The variable that every process of `container` inherits.
std::string session_mark(const ContainerId& container);

std::vector<os::ProcessMark> session_members(const std::string& mark, const os::ProcessMark& leader);
/// Asks all to end, and returns when none is left or `grace` is over. A terminal's shell ignores being
/// asked; it is hung up once nothing else runs in its terminal, and whatever leads one at half of the time.
void ask_session(const std::string& mark, const os::ProcessMark& leader, Duration grace);
/// Asks all to end, ends them after `grace`, and returns when none is left.
Result<void> end_session(const std::string& mark, const os::ProcessMark& leader, Duration grace, Duration deadline);
/// Does one of them listen on that TCP port? Another program that was quicker may answer there.
bool session_listens(const std::vector<os::ProcessMark>& members, std::uint32_t port);
Usage session_usage(const std::vector<os::ProcessMark>& members);

}  // namespace berth
