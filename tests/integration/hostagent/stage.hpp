// SPDX-License-Identifier: Apache-2.0
// One real berth-hostagent with its proxy and its environments, and what a test wants to know of
// them: from their files and from /proc, never from the agent. All of it ends with the stage.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "os/process.hpp"
#include "tests/support/cluster.hpp"

namespace berth::testing {

class Agent {
public:
    /// Mints the host's key. Nothing is started yet.
    Agent(Cluster& cluster, std::string name, std::uint32_t slots);
    ~Agent();
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    /// Starts the agent; waits until it serves. False when it ended or did not get there in time.
    bool start(const std::vector<std::string>& more = {});
    /// Starts it, and does not wait.
    void launch(const std::vector<std::string>& more = {});
    /// `--end-environments`; its exit status.
    int end_environments(const std::vector<std::string>& more = {});

    /// Of the next start; before, all agents of a cluster share one folder.
    void keep_homes_in(std::string folder) { homes_ = std::move(folder); }

    Child& process() { return *child_; }
    const std::string& folder() const { return folder_; }
    const std::string& homes() const { return homes_; }
    std::string home_of(const WorkspaceId& workspace) const { return homes_ + "/" + workspace.value; }
    std::string log() const { return read_text(log_); }

    /// The leader of the environment on that slot, when it runs.
    std::optional<os::ProcessMark> environment(std::uint32_t slot) const;
    std::uint32_t environment_port(std::uint32_t slot) const;     // 0: none
    std::optional<os::ProcessMark> proxy() const;
    std::uint16_t proxy_port() const;

private:
    std::vector<std::string> arguments(const std::vector<std::string>& more) const;

    Cluster& cluster_;
    std::string name_;
    std::uint32_t slots_;
    std::string folder_;
    std::string homes_;
    std::string log_;
    std::unique_ptr<Child> child_;
};

struct HttpAnswer {
    int status = 0;                       // 0: nobody answered
    std::string cookie;                   // name=value of the first Set-Cookie
    std::string text;                     // all of it, head and body
};
/// GET by hand, with a Host of the test's own choice.
HttpAnswer http_get(std::uint16_t port, const std::string& host, const std::string& path, const std::string& cookie = "");
/// The path and query of a link: "/_berth/open?token=…".
std::string path_of(const std::string& link);

/// The configuration of every stage here: short periods, the process engine, no standbys.
std::string fast_config(const std::string& more = "", const std::string& pool = "");

/// An allocator of the test's own: the host gets the orders that stand here, and any command.
class ScriptedAllocator {
public:
    explicit ScriptedAllocator(Cluster& cluster);

    template <class Command>
    auto tell(const Command& command, Duration timeout = Duration{10'000}) {
        return peer.ask(command, timeout, bus::Note{.key = "h-1"});
    }
    /// Asks until the host is there to answer: what falls into a restart is asked again.
    template <class Command>
    auto tell_surely(const Command& command) {
        auto answer = tell(command, Duration{1'000});
        eventually([&] {
            if (answer || (answer.error().kind != ErrorKind::unavailable && answer.error().kind != ErrorKind::timeout &&
                           answer.error().kind != ErrorKind::not_found)) {
                return true;
            }
            answer = tell(command, Duration{1'000});
            return false;
        });
        return answer;
    }
    static LeaseOrder order(std::uint32_t slot, std::uint64_t epoch, const std::string& workspace = "w-1");
    bool until(const std::function<bool()>& is_so) { return peer.until(is_so); }

    TestPeer peer;
    HostOrders orders{.term = {5}, .heartbeat_ms = Duration{200}};
    std::optional<RegisterRequest> registered;
    std::optional<HostHeartbeat> beat;    // the last
};

/// An agent that beats fast, beside the real broker and the real allocator.
class Stage {
public:
    /// `more` is appended to the configuration, `pool` to what it says of the pool.
    explicit Stage(const std::string& more = "", std::uint32_t slots = 2, const std::string& pool = "");

    Result<ClaimReply> claim(const std::string& key, const std::string& user, Duration wait = Duration{20'000});
    Result<ViewReply> view();
    std::optional<WorkspaceView> workspace(const WorkspaceId& id);
    bool until_state(const WorkspaceId& id, WorkspaceState state, Duration within = Duration{15'000});
    /// What the host said last of that slot.
    std::optional<SlotReport> report(std::uint32_t slot);
    bool until_phase(std::uint32_t slot, SlotPhase phase, Duration within = Duration{15'000});
    Result<Done> release(const WorkspaceId& id) { return robot.ask(ReleaseRequest{.target = {id}, .why = "a test"}); }

    Cluster cluster;
    TestPeer robot;
    Agent agent;
};

}  // namespace berth::testing
