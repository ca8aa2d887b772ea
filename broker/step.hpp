// SPDX-License-Identifier: Apache-2.0
// What is to be done with each message that reaches the broker. Values in, decisions out; the shell
// (process.cpp) owns sockets, frames and keys.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/access.hpp"
#include "broker/state.hpp"
#include "events/query.hpp"

namespace berth::broker {

enum class Channel { events, requests };

/// A message as it came. Views live as long as its frames.
struct Arrival {
    Channel channel = Channel::requests;
    std::optional<Sender> sender;      // by the key of its connection; empty when not (or no longer) enrolled
    std::string route;                 // of its connection; empty on the events channel
    std::size_t frames = 0;            // 2, or 3 for a reply
    std::string_view topic;
    std::string_view envelope;
    std::string_view tag;
};

// ---- decisions

struct ToSubscribers {                 // topic and envelope as they came
    Stamp stamp;
    BERTH_FIELDS(ToSubscribers, stamp)
};
struct ToPeer {                        // topic and envelope as they came
    std::string route;
    Stamp stamp;
    BERTH_FIELDS(ToPeer, route, stamp)
};
struct Refusal {                       // the broker's own reply
    std::string route;
    std::string request_id;
    std::string name;
    Error error;
    BERTH_FIELDS(Refusal, route, request_id, name, error)
};
struct Registered {
    std::string route;
    std::string request_id;
    std::string service;
    BERTH_FIELDS(Registered, route, request_id, service)
};
struct StatusReply {
    std::string route;
    std::string request_id;
    BrokerStatus status;
    BERTH_FIELDS(StatusReply, route, request_id, status)
};
struct Beat {                          // "I am here"
    std::string route;
    BERTH_FIELDS(Beat, route)
};
struct NotServing {                    // "you are no worker of mine": it registers again
    std::string route;
    BERTH_FIELDS(NotServing, route)
};
struct Dropped {                       // for diagnostics; already counted
    Count why = Count::malformed;
    std::string sender;
    std::string text;
    BERTH_FIELDS(Dropped, why, sender, text)
};
struct WorkerLost {                    // for diagnostics
    std::string worker;
    std::string service;
    std::string why;
    BERTH_FIELDS(WorkerLost, worker, service, why)
};

using Decision =
    std::variant<ToSubscribers, ToPeer, Refusal, Registered, StatusReply, Beat, NotServing, Dropped, WorkerLost>;
using Decisions = std::vector<Decision>;

Decisions step(State& state, const Arrival& arrival, Instant now);
/// Deadlines, silent workers, beats.
Decisions tick(State& state, Instant now);
/// A send to this route failed: nobody is connected there.
Decisions lose_route(State& state, const std::string& route);
/// A send of the request with this tag failed: the worker does not take more.
Decisions give_back(State& state, const std::string& tag);
/// A key is no longer enrolled, or in another role: it serves nothing and hears no more answers.
Decisions revoke(State& state, const std::string& name);

BrokerStatus status_of(const State& state);

}  // namespace berth::broker
