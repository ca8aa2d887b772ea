// SPDX-License-Identifier: Apache-2.0
// The projector's parts list: what it hears goes into step(), what step() decides is done at each place by a thread of
// its own. It keeps nothing: one that is started anew reads the view and what stands there.
//
//   Follower (view, facts, head), host.heartbeat ─► step ─► List, Write ─► place ─► Listed, Written ─► step
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "base/config.hpp"
#include "projector/sink.hpp"
#include "projector/step.hpp"
#include "shell/inside.hpp"
#include "shell/shell.hpp"

namespace berth::projector {

/// [projector]: invalid when a number makes no sense.
Result<Policy> read_policy(const Config& config);

/// One place on a thread of its own: one call at a time, as the core asks.
class Worker {
public:
    Worker(bus::Loop& loop, std::unique_ptr<Sink> sink) : loop_(loop), sink_(std::move(sink)), thread_([this] { run(); }) {}
    /// Waits for the call that is under way.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void call(Call wanted, std::function<void(Input)> done);

private:
    void run();
    Input do_call(const Call& wanted);

    bus::Loop& loop_;
    std::unique_ptr<Sink> sink_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<std::pair<Call, std::function<void(Input)>>> next_;
    bool stopping_ = false;
    std::thread thread_;
};

using Sinks = std::map<PlaceKind, std::unique_ptr<Sink>>;

class Process final : public shell::Shell<Process, State, Input, Decisions> {
public:
    /// One sink for each place that the policy names. Acts once the loop runs. Loop and endpoint outlive it.
    Process(bus::Loop& loop, bus::Endpoint& endpoint, Policy policy, Sinks sinks);

    /// For <state>/run/projector.sock.
    std::vector<shell::Figure> figures(Instant now) const;

private:
    friend Shell;
    using Shell::out;
    void out(Call wanted);

    std::map<PlaceKind, std::unique_ptr<Worker>> workers_;
};

}  // namespace berth::projector
