// SPDX-License-Identifier: Apache-2.0
// What a workspace must not reach from inside its container (I28): a cloud's metadata service, and the
// machine that it runs on, behind whose addresses the bus, the engine and the store may listen. The
// rules stand in the container's own network namespace: its user has no right to change them, nothing
// of the machine's firewall is touched, and they end with the container.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace berth {

enum class IpFamily { v4, v6 };

/// For iptables-restore or ip6tables-restore: new connections to those of `closed` (addresses or CIDR)
/// that are of the family are refused; answers, and names (port 53), pass. ErrorKind::invalid names what
/// is no address.
Result<std::string> egress_rules(IpFamily family, const std::vector<std::string>& closed);

/// Closes `closed` and every address that this machine has now to the container in which process
/// `inside` runs. IPv6 rules only where the container has an IPv6 address.
Result<void> close_egress(pid_t inside, std::vector<std::string> closed, Duration within);

}  // namespace berth
