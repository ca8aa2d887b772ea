// SPDX-License-Identifier: Apache-2.0
// The shell of the allocator. Whatever the bus brings in one round is stepped at once; at the end of
// the round all facts are made durable by one append, and only then does anything leave (I5):
//
//   deliveries ─► step … step ─► append ─► replies ─► publishes ─► commands to hosts
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "allocator/ledger.hpp"
#include "allocator/shell_policy.hpp"
#include "allocator/step.hpp"
#include "bus/endpoint.hpp"
#include "bus/loop.hpp"

namespace berth::allocator {

class Process {
public:
    /// Replays the ledger and begins a term. Loop, endpoint and ledger outlive it.
    static Result<std::unique_ptr<Process>> open(bus::Loop& loop, bus::Endpoint& endpoint, Ledger& ledger,
                                                 Policy policy, ShellPolicy shell_policy,
                                                 const std::vector<PoolDefined>& pools);

    /// Why the loop was stopped: an append that failed. Nothing that it held was ever answered.
    const std::optional<Error>& failure() const { return failure_; }
    const View& view() const { return state_.view; }

private:
    Process(bus::Loop& loop, bus::Endpoint& endpoint, Ledger& ledger, State state, ShellPolicy shell_policy);
    void serve();
    template <class T>
    void serve_one();
    void serve_queries();
    void listen();

    void feed(const Input& input);
    void commit();
    void let_out(std::vector<FactRecord> facts);
    void answer(const Reply& reply);
    void send(const Command& command);
    template <class T>
    void send(const Command& command, const T& body);
    void tidy();
    void publish_head();
    void stop_for(Error error);

    bus::Loop& loop_;
    bus::Endpoint& endpoint_;
    Ledger& ledger_;
    State state_;
    ShellPolicy shell_policy_;

    std::map<CallerId, bus::Responder> callers_;
    CallerId next_caller_ = 1;
    Decisions pending_;                              // of this round, not durable yet
    std::vector<std::function<void()>> queries_;     // answered from what is durable
    Position snapshot_at_;
    Storage storage_ = Storage::ample;
    std::optional<Error> failure_;
};

}  // namespace berth::allocator
