// SPDX-License-Identifier: Apache-2.0
// The envelope of every message: CloudEvents 1.0 attributes and a few extensions, as one msgpack
// map. A message on the wire is two frames, topic and envelope; what the broker delivers carries a
// third, the stamp, which says who sent it. docs/bus.md is written from this file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/time.hpp"
#include "events/reason.hpp"

namespace berth {

/// Who a peer is, by its CURVE key (I23). Tests and docs/bus.md list what each may say.
BERTH_ENUM(Role, broker, allocator, scaler, reaper, host, gateway, client, tap)

using Bytes = std::string;                // encoded msgpack

struct Envelope {
    std::string id;                       // unique per source
    std::string source;                   // "/berth/allocator/<boot id>"
    std::string type;                     // "io.berth.claim.granted.v1"
    std::string subject;                  // what it is about; may be empty
    Instant time;
    Bytes data;                           // one msgpack map, still encoded
    std::optional<std::uint64_t> sequence;       // per source, from 1, without gaps, on published events
    std::optional<std::string> correlation_id;   // of a reply: the id of its request
    std::optional<std::string> causation_id;     // the message or fact that led to this one
    std::optional<std::string> trace_parent;     // W3C traceparent, passed through
    std::optional<std::string> ledger;           // of a fact: its ledger and position
    std::optional<Position> position;
    std::optional<Instant> deadline;             // of a request
    std::optional<Reason> reason;                // of a fact or an intent
    std::optional<Error> error;                  // of a reply that failed; `data` is then empty

    friend bool operator==(const Envelope&, const Envelope&) = default;
};

/// Added by the broker to what it delivers. A worker sends it back with its reply.
struct Stamp {
    Role role = Role::client;
    std::string sender;                   // name of the key: "gateway", "h-1", "ci-robot"
    std::string tag;                      // of a request: where its reply goes; opaque
    BERTH_FIELDS(Stamp, role, sender, tag)
};

/// "claim.granted." or "host.heartbeat.h-1.": the trailing dot keeps prefix matching honest.
std::string topic_of(std::string_view name, std::string_view key = {});
/// The CloudEvents type: "io.berth.<name>.v1".
std::string type_attribute(std::string_view name);
/// The catalog name in a CloudEvents type, or empty.
std::string name_in_type(std::string_view type);

}  // namespace berth
