// SPDX-License-Identifier: Apache-2.0
// What can be asked of the allocator without changing anything. Answers are of durable state (I5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "events/view.hpp"

namespace berth {

struct ViewRequest {                      // `allocator.view`: the whole picture, at its position
    BERTH_NO_FIELDS(ViewRequest)
};
struct ViewReply {
    View view;
    std::vector<HostHeartbeat> heartbeats;  // latest of each host: an observation, not of the ledger
    BERTH_FIELDS(ViewReply, view, heartbeats)
};

struct FactsRequest {                     // `allocator.facts`: the ledger itself
    Position from;                        // first position wanted; 0 = the earliest
    std::uint32_t limit = 500;            // at most 5000
    std::optional<std::string> subject;   // only facts about this id
    BERTH_FIELDS(FactsRequest, from, limit, subject)
};
struct FactsReply {
    std::vector<FactRecord> facts;
    Position head;
    BERTH_FIELDS(FactsReply, facts, head)
};

struct BrokerStatusRequest {              // `broker.status`
    BERTH_NO_FIELDS(BrokerStatusRequest)
};
struct ServiceStatus {
    std::string service;                  // "allocator", "host.h-1"
    std::uint32_t workers = 0;
    std::uint64_t requests = 0;
    BERTH_FIELDS(ServiceStatus, service, workers, requests)
};
struct Counter {
    std::string name;
    std::uint64_t value = 0;
    BERTH_FIELDS(Counter, name, value)
};
struct BrokerStatus {
    std::vector<ServiceStatus> services;
    std::vector<Counter> counters;
    BERTH_FIELDS(BrokerStatus, services, counters)
};

/// Between a process and the broker (docs/bus.md): "I serve this", "I am here", "I leave".
struct ServeRequest {                     // `broker.serve`
    std::string service;
    BERTH_FIELDS(ServeRequest, service)
};
struct ServeBeat {                        // `broker.beat`, both ways
    BERTH_NO_FIELDS(ServeBeat)
};
struct ServeEnd {                         // `broker.leave`
    BERTH_NO_FIELDS(ServeEnd)
};

}  // namespace berth
