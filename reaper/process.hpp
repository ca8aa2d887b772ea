// SPDX-License-Identifier: Apache-2.0
// The reaper's parts list: what it hears goes into step(), what step() decides goes out again. It keeps
// nothing: a reaper that is started anew knows as much as the view and the hosts tell it, and until they
// did it decides nothing.
//
//   Follower (view, facts, head) ─┐
//   host.heartbeat, .activity,    ├─► step ─┬─► workspace.idle (intent)
//   .objected, provider.snapshot ─┘         └─► allocator.reap, .host_unknown, .host_gone,
//                                               scaler.terminate_orphan ─► Answered ─► step
#pragma once

#include "base/config.hpp"
#include "reaper/step.hpp"
#include "shell/shell.hpp"

namespace berth::reaper {

/// [reaper]; where it is silent, how often hosts speak is what they are told to (by [allocator]
/// heartbeat and [hostagent] activity_every of the same file).
Result<Policy> read_policy(const Config& config);

class Process final : public shell::Shell<Process, State, Input, Decisions> {
public:
    /// Acts once the loop runs. Loop and endpoint outlive it.
    Process(bus::Loop& loop, bus::Endpoint& endpoint, Policy policy);

private:
    friend Shell;
    template <class T>
    void hear_host();
    using Shell::out;
    void out(const Intent& intent);
    void out(const Ask& wanted);
};

}  // namespace berth::reaper
