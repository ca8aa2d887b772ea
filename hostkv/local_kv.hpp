// SPDX-License-Identifier: Apache-2.0
// The host's own memory: one LMDB environment that agent and proxy share. The agent writes slots
// and routes; the proxy writes used links and last activity. Every write is durable (fsync) before
// it returns, except activity. Survives the death of every process.
//
//   slot/<n>            SlotRecord      what this slot holds and the highest epoch it ever held (I3)
//   route/<workspace>   RouteRecord     which port serves the workspace, and for whom (I25)
//   link/<id>           text            the session that a used link became (I26)
//   activity/<workspace> Instant        last use through the proxy
//   activity/<workspace>.editors EditorsSeen    windows of the editor that are open
//   meta/…              term, position, incarnation, sealed, secret (of this host alone, 32 bytes as hex)
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "hostkv/records.hpp"

namespace berth {

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

    Result<std::optional<RouteRecord>> route(const WorkspaceId& workspace) const;
    Result<std::vector<RouteRecord>> routes() const;

    Result<Position> position() const;                         // the highest that was seen with any other change
    Result<Term> term() const;
    const std::string& secret() const;                         // never logged

    /// A link is its first holder's: true for that one, also when asked again; false for every other, and
    /// when nobody had it before `expires_at`. Remembered for as long as a session made of it may live.
    Result<bool> use_link(const std::string& id, const std::string& holder, Instant expires_at, Instant now);
    /// Whose a link is; nullopt: nobody's yet.
    Result<std::optional<std::string>> link_holder(const std::string& id) const;
    Result<std::optional<Instant>> activity(const WorkspaceId& workspace) const;
    Result<void> put_activity(const WorkspaceId& workspace, Instant at);   // not synced: a hint
    Result<std::optional<EditorsSeen>> editors(const WorkspaceId& workspace) const;
    Result<void> put_editors(const WorkspaceId& workspace, const EditorsSeen& seen);   // a hint too
    Result<void> drop_activity(const WorkspaceId& workspace);                         // both

private:
    struct Inside;
    explicit LocalKv(std::unique_ptr<Inside> inside);
    std::unique_ptr<Inside> inside_;
};

}  // namespace berth
