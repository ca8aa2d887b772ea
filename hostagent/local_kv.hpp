// SPDX-License-Identifier: Apache-2.0
// The host's own memory: one LMDB environment that agent and proxy share. The agent writes slots
// and routes; the proxy writes used links and last activity. Every write is durable (fsync) before
// it returns, except activity. Survives the death of every process.
//
//   slot/<n>            SlotRecord      what this slot holds and the highest epoch it ever held (I3)
//   route/<workspace>   RouteRecord     which port serves the workspace, and for whom (I25)
//   link/<id>           Instant         a link that was used, until it would have expired (I26)
//   activity/<workspace> Instant        last user byte through the proxy
//   meta/…              term, position, incarnation, sealed, secret (of this host alone, 32 bytes as hex)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "events/host.hpp"

namespace berth {

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
    BERTH_FIELDS(SlotRecord, slot, phase, epoch, workspace, user, project, container, port, expires_at, hold_until, text,
                 bound_at)
};

struct RouteRecord {
    WorkspaceId workspace;
    UserId user;
    std::uint32_t slot = 0;
    Epoch epoch;
    ContainerId container;
    std::uint32_t port = 0;              // on 127.0.0.1
    Instant confirmed_at;                // last word of a live allocator that this lease stands
    BERTH_FIELDS(RouteRecord, workspace, user, slot, epoch, container, port, confirmed_at)
};

struct DropRoute {                       // and the workspace's last activity
    WorkspaceId workspace;
};
struct PutSealed {};                     // this host takes nothing new, for ever
using KvChange = std::variant<SlotRecord, RouteRecord, DropRoute, Term, Position, PutSealed>;

class LocalKv {
public:
    /// Makes the folder (0700) and the host's secret when new. `corrupt` when the file is damaged.
    static Result<std::unique_ptr<LocalKv>> open(const std::string& dir);
    ~LocalKv();

    /// All of it, in this order, in one durable transaction; or nothing of it. Refuses (fenced) to lower
    /// a term or the epoch of a slot.
    Result<void> apply(const std::vector<KvChange>& changes);
    Result<bool> sealed() const;

    Result<std::vector<SlotRecord>> slots() const;
    Result<void> put_slot(const SlotRecord& record);           // refuses (fenced) to lower the epoch

    Result<std::optional<RouteRecord>> route(const WorkspaceId& workspace) const;
    Result<std::vector<RouteRecord>> routes() const;
    Result<void> put_route(const RouteRecord& record);
    Result<void> drop_route(const WorkspaceId& workspace);

    Result<Position> position() const;                         // the highest that was seen with any other change
    Result<Term> term() const;
    Result<void> put_term(Term term);                          // refuses (fenced) to lower it
    Result<std::optional<std::string>> meta(const std::string& name) const;
    Result<void> put_meta(const std::string& name, const std::string& value);
    const std::string& secret() const;                         // never logged

    /// True once per link id; later calls give false. Old ids are dropped after `expires_at`.
    Result<bool> use_link(const std::string& id, Instant expires_at, Instant now);
    Result<std::optional<Instant>> activity(const WorkspaceId& workspace) const;
    Result<void> put_activity(const WorkspaceId& workspace, Instant at);   // not synced: a hint
    Result<void> drop_activity(const WorkspaceId& workspace);

private:
    struct Inside;
    explicit LocalKv(std::unique_ptr<Inside> inside);
    std::unique_ptr<Inside> inside_;
};

}  // namespace berth
