// SPDX-License-Identifier: Apache-2.0
// The shell of the reaper: what the bus brings goes into step(), what step() decides goes out again.
// It keeps nothing and holds nothing back: a reaper that is started anew knows as much as the view
// and the hosts tell it, and until they did it decides nothing.
//
//   Follower (view, facts, head) ─┐
//   host.heartbeat, .activity,    ├─► step ─┬─► workspace.idle (intent)
//   .objected, provider.snapshot ─┘         └─► allocator.reap, .host_unknown, .host_gone,
//                                               scaler.terminate_orphan ─► Answered ─► step
#pragma once

#include "base/config.hpp"
#include "bus/follower.hpp"
#include "reaper/step.hpp"

namespace berth::reaper {

/// [reaper]; where it is silent, how often hosts speak is what they are told to (by [allocator]
/// heartbeat and [hostagent] activity_every of the same file).
Result<Policy> read_policy(const Config& config);

class Process {
public:
    /// Acts once the loop runs. Loop and endpoint outlive it.
    Process(bus::Loop& loop, bus::Endpoint& endpoint, Policy policy);

private:
    template <class T>
    void listen_to();
    void take(Input input);
    void say(const Line& line);
    void ask(Ask wanted);

    bus::Loop& loop_;
    bus::Endpoint& endpoint_;
    State state_;
    bus::Follower follower_;
};

}  // namespace berth::reaper
