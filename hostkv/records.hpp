// SPDX-License-Identifier: Apache-2.0
// What a host remembers, as values: the agent's core decides them, LocalKv keeps them, the proxy reads
// them. Everything of one step is one KvChange list and becomes durable at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/time.hpp"
#include "events/host.hpp"

namespace berth {

BERTH_ENUM(HomeStand,                    // of a home that has an archive, on this host
           away,                         // not here, or not wanted any more
           here,                         // as it was archived; nothing wrote to it
           used,                         // an environment has it, or had it
           kept)                         // its last archive is confirmed

/// Persisted before the engine acts on it.
struct SlotRecord {
    std::uint32_t slot = 0;
    SlotPhase phase = SlotPhase::empty;
    Epoch epoch;                         // highest ever; never lowered
    WorkspaceId workspace;
    UserId user;
    ProjectName project;
    ContainerId container;               // the incarnation on the slot; bound to (workspace, epoch) at most once (I2)
    std::uint32_t port = 0;
    Instant expires_at;
    std::optional<Instant> hold_until;
    std::string text;
    std::optional<Instant> bound_at;     // absent until the environment was given to the user
    std::optional<HomeOrder> home;       // of the lease
    std::optional<HomeStand> home_stand;
    std::optional<HomeArchive> archive;  // the newest of this epoch that the repository confirmed
    BERTH_FIELDS(SlotRecord, slot, phase, epoch, workspace, user, project, container, port, expires_at, hold_until, text,
                 bound_at, home, home_stand, archive)
};

struct RouteRecord {
    WorkspaceId workspace;
    UserId user;
    std::uint32_t slot = 0;
    Epoch epoch;
    ContainerId container;
    std::uint32_t port = 0;              // on 127.0.0.1; not used when there is a socket
    Instant confirmed_at;                // last word of a live allocator that this lease stands
    /// Path of a Unix socket in the slot's own folder: a way that no other user of the machine and no
    /// browser has (field report 13). The folder is the host's; its last name may be the container's.
    std::optional<std::string> socket;
    BERTH_FIELDS(RouteRecord, workspace, user, slot, epoch, container, port, confirmed_at, socket)
};

/// Open windows of the editor that sent something within the last seconds, as the proxy saw them at that time.
struct EditorsSeen {
    Instant at;
    std::uint32_t windows = 0;
    BERTH_FIELDS(EditorsSeen, at, windows)
};
inline constexpr std::uint32_t editors_seen_max = 999;

struct DropRoute {                       // and the workspace's last activity
    WorkspaceId workspace;
};
struct PutSealed {};                     // this host takes nothing new, for ever
using KvChange = std::variant<SlotRecord, RouteRecord, DropRoute, Term, Position, PutSealed>;

}  // namespace berth
