// SPDX-License-Identifier: Apache-2.0
// What starts and ends environments on a host. Two steps (design §8): prepare() starts one that has
// no user, home or credential and waits until it is healthy; bind() gives it to one user, once. All
// calls block, are made from worker threads, may be made concurrently for different slots, and
// return within their deadline. Implementations: engines/docker, engines/process; in tests sim.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace berth {

struct PrepareOrder {
    std::uint32_t slot = 0;
    ContainerId container;        // chosen by the host, new for each life; also its label and name
    std::uint32_t port = 0;       // on 127.0.0.1, taken from the host's port pool; 0: it listens on the
                                  // socket run/editor.sock of its slot's folder
    Duration deadline{0};
    Duration grace{0};            // how long its programs will get to end, once they are asked
    BERTH_FIELDS(PrepareOrder, slot, container, port, deadline, grace)
};

struct EngineBind {
    std::uint32_t slot = 0;
    ContainerId container;
    WorkspaceId workspace;
    Epoch epoch;
    UserId user;
    ProjectName project;
    std::string home;             // absolute path on the host; made when it is not there
    Duration deadline{0};
    BERTH_FIELDS(EngineBind, slot, container, workspace, epoch, user, project, home, deadline)
};

BERTH_ENUM(Health,
           running,
           suspended,   // paused, or on its way up again: neither serves nor has ended
           exited,
           missing)

struct FoundContainer {           // from labels, never from memory
    ContainerId container;
    std::uint32_t slot = 0;
    std::uint32_t port = 0;
    Health health = Health::running;
    std::string told;             // why it ended or is suspended, or what its user should know; the same as long as nothing happens
    BERTH_FIELDS(FoundContainer, container, slot, port, health, told)
};

struct Job {                      // in the foreground of a terminal, and not its shell
    std::string command;          // printable, cut
    Instant since;
    BERTH_FIELDS(Job, command, since)
};

struct Usage {                    // of the user's work; an editor's own server aside where it can be told
    std::uint64_t cpu_ns = 0;     // total since some time: only differences mean something
    std::uint64_t io_bytes = 0;   // of disks
    std::uint64_t net_bytes = 0;  // both ways; 0 where it can not be told
    std::vector<Job> jobs;
    BERTH_FIELDS(Usage, cpu_ns, io_bytes, net_bytes, jobs)
};

class Engine {
public:
    virtual ~Engine() = default;

    /// Can environments be started here? Says what is missing and what to do. May import the image.
    virtual Result<void> check_ready() = 0;
    /// Healthy when it returns. After an error nothing of that container is left.
    virtual Result<void> prepare(const PrepareOrder& order) = 0;
    /// Mounts the home and puts the user's settings there. Never called twice for one container.
    virtual Result<void> bind(const EngineBind& order) = 0;
    /// Asks all that runs in it to end, and returns when nothing does or `grace` is over: a user's programs
    /// save what they have. Nothing is removed, and nothing ended by force that heeds being asked.
    virtual Result<void> ask_to_end(const ContainerId& container, std::uint32_t slot, Duration grace) = 0;
    /// Ends it and removes everything but the home: writable layer, mounts, published port, slot
    /// folder. A container that is not there is removed.
    virtual Result<void> remove(const ContainerId& container, std::uint32_t slot, Duration deadline) = 0;
    /// Everything that bears this host's labels, also what exited.
    virtual Result<std::vector<FoundContainer>> list() = 0;
    virtual Result<Usage> usage(const ContainerId& container) = 0;
    /// A folder of this machine that the environment sees: it leaves presence notes in `presence/`, and
    /// reads what the agent leaves beside. Empty: there is none.
    virtual std::string shared_folder(const ContainerId& container) const {
        (void)container;
        return {};
    }
};

}  // namespace berth
