// SPDX-License-Identifier: Apache-2.0
// Starts the processes of one machine in order, keeps them alive, ends them. One thread; signals
// come as bytes of a signalfd, so that nothing happens in a signal handler.
//
//   started ─► ready ─► dead ─► waiting (back-off) ─► started …
//                 └──────────► *ended (up is stopping)
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "cli/up/plan.hpp"
#include "cli/up/policy.hpp"
#include "cli/up/restarts.hpp"
#include "cli/up/say.hpp"

namespace berth::cli {

/// SIGINT, SIGTERM, SIGHUP and SIGCHLD of this process, as something to wait for. Made before any
/// other thread is, since it blocks them.
class Signals {
public:
    Signals();
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    /// Waits at most that long, or until a signal came; counts the wishes to stop.
    void wait(Duration at_most);
    /// How often someone asked to stop; twice means: hurry.
    unsigned stops() const { return stops_; }

private:
    int fd_;
    unsigned stops_ = 0;
};

BERTH_ENUM(OnStop, give_up, go_on)

class Supervisor {
public:
    Supervisor(const Clock& clock, const UpPolicy& policy, Signals& signals, Say& say,
               std::vector<std::string> environment);

    /// Starts it and waits until it is ready. An error carries the last lines of its log.
    Result<void> start(const Service& service);
    /// Keeps all of them alive until someone asks to stop.
    void run();
    /// Reaps, restarts, rotates: one round of run(), for those who wait for something else.
    void look_after();

    /// SIGTERM to that process, and until the deadline for its end; then SIGKILL to its group.
    void end(const std::string& name, Instant deadline);
    void end_all(Instant deadline);
    bool is_ready(const std::string& name) const;

    /// Ends processes that are not its own children, in the same way.
    void end_pids(const std::vector<pid_t>& pids, Instant deadline);
    /// Waits until `done` holds; false at the deadline (which a second wish to stop brings nearer), and
    /// with OnStop::give_up also at the first wish to stop.
    bool wait_until(const std::function<bool()>& done, Instant deadline, OnStop on_stop);

private:
    struct Child {
        Service service;
        Restarts restarts;
        pid_t pid = 0;                    // 0: not running
        bool wanted = true;
        bool ready = false;               // its .ready file was seen in this life
        Instant started_at;
        Instant next_start;
        int status = 0;                   // of its last end
        std::uint64_t log_from = 0;       // where this life's lines begin in its log
    };
    Result<void> launch(Child& child);
    Error did_not_start(const Child& child) const;
    void reap();
    Child* find(const std::string& name);
    Instant hurried(Instant deadline);

    const Clock& clock_;
    UpPolicy policy_;
    Signals& signals_;
    Say& say_;
    std::vector<std::string> environment_;
    std::vector<Child> children_;         // in the order of their start
    Instant next_log_check_;
    bool hurry_said_ = false;
    Instant hurry_deadline_;
};

/// <name>.log becomes <name>.log.1 when it is over the bound. The writer's descriptor stays valid.
void rotate_log(const std::string& path, std::uint64_t bytes_max);

}  // namespace berth::cli
