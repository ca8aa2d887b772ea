// SPDX-License-Identifier: Apache-2.0
// The files behind an enrolment: <state>/keys/peers, where the broker finds who it admits, and what this
// installation's configuration says to every host.
#pragma once

#include <map>
#include <string>

#include "gateway/step.hpp"

namespace berth::gateway {

/// Section, key, value as it stands in TOML: [hostagent], [docker] and [proxy] of that file, without what holds for
/// the control plane's own machine alone (sockets, paths, addresses). An empty path: nothing.
using HostSettings = std::map<std::string, std::map<std::string, std::string>>;
Result<HostSettings> read_host_settings(const std::string& config);

/// Where hosts on other machines find the broker, by <state>/bus.toml. One that is bound to every address is named
/// as the gateway was asked: its machine is the broker's.
Result<std::string> broker_for_hosts(const std::string& state, const std::string& asked_at);

/// Admits the machine's key for the role host and that host's id alone. Its token has a use less first, so that a crash
/// in between costs nobody anything: the same machine asks again.
Result<EnrolAnswer> enrol_machine(const std::string& state, const HostSettings& settings, const EnrolWish& wish);

/// Its key is no longer admitted.
Result<void> cut_off_machine(const std::string& state, const HostId& host);

}  // namespace berth::gateway
