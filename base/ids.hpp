// SPDX-License-Identifier: Apache-2.0
// Strong names and numbers: a host can not be passed where a workspace is meant. Ids are text;
// Position, Epoch and Term are 64-bit and only grow (they travel as decimal strings, since many
// languages read larger integers as doubles).
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace berth {

template <class Tag>
struct Id {
    std::string value;

    bool empty() const { return value.empty(); }
    friend auto operator<=>(const Id&, const Id&) = default;
};

template <class Tag>
struct Number {
    std::uint64_t value = 0;

    friend auto operator<=>(const Number&, const Number&) = default;
};

using HostId = Id<struct HostTag>;                 // the provider's name of the machine
using HostIncarnation = Id<struct HostBootTag>;    // one life of a machine; a reused name gets a new one
using PoolName = Id<struct PoolTag>;
using WorkspaceId = Id<struct WorkspaceTag>;       // also a DNS label: [a-z0-9-]
using ContainerId = Id<struct ContainerTag>;       // one life of an environment on a slot (incarnation in I2)
using UserId = Id<struct UserTag>;
using ProjectName = Id<struct ProjectTag>;
using Principal = Id<struct PrincipalTag>;         // who asked, as the bus or the gateway proved it
using IdempotencyKey = Id<struct KeyTag>;
using ClaimId = Id<struct ClaimTag>;
using LaunchId = Id<struct LaunchTag>;

using Position = Number<struct PositionTag>;       // place of a fact in the ledger; the first is 1
using Term = Number<struct TermTag>;               // position of an allocator's own took_over fact (I4)
using Epoch = Number<struct EpochTag>;             // grows with each lease of a slot (I3)

/// Users and projects: 1–64 of [a-zA-Z0-9._@-], not starting with '.' or '-', no "..".
Result<void> check_name(std::string_view what, std::string_view name);
/// Workspaces: 1–63 of [a-z0-9-], not starting with '-': an id names a folder and a host name.
bool is_dns_label(std::string_view id);

}  // namespace berth
