// SPDX-License-Identifier: Apache-2.0
// The real berth-scaler with local hosts, beside the real broker and the real allocator; and what a
// test wants to know of the hosts, from the ledger, their files and /proc. Hosts outlive the scaler
// by design, so it is the fleet that ends them all.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "events/query.hpp"
#include "scaler/providers/local/instance_file.hpp"
#include "tests/support/cluster.hpp"

namespace berth::testing {

class Fleet {
public:
    /// `pool` are lines of [pool.default]; `scaler` of [scaler]; `more` is whole sections.
    explicit Fleet(const std::string& pool, const std::string& scaler = "", const std::string& more = "");
    ~Fleet();

    void start();                                 // broker, allocator, scaler
    void start_peers();                           // after a broker that started again
    /// As `berth up` does it: the scaler, then every agent and what they started, then the rest.
    void stop_like_up();

    View view();                                  // empty only when nobody answers for as long as until() waits
    bool until(const std::function<bool(const View&)>& is_so, Duration within = Duration{15'000});   // of a real view
    std::vector<FactRecord> facts();
    template <class T>
    std::vector<T> facts_of() {
        std::vector<T> found;
        for (const auto& record : facts()) {
            if (const auto* fact = std::get_if<T>(&record.fact)) found.push_back(*fact);
        }
        return found;
    }
    Result<ClaimReply> claim(const std::string& user, Duration wait = Duration{20'000});
    Result<Done> release(const WorkspaceId& id) { return robot->ask(ReleaseRequest{.target = {id}, .why = "a test"}); }
    /// What the host said last of the slot of that workspace.
    std::optional<SlotPhase> phase_of(const WorkspaceId& id);

    std::string folder_of(const HostId& host) const { return cluster.state() + "/hosts/" + host.value; }
    /// By their files, running or being ended.
    std::vector<scaler::LocalInstance> instances() const;
    /// Processes that run as the agent of that host, by /proc alone.
    std::vector<pid_t> agents_of(const HostId& host) const;
    /// Kills the agent by -9 and waits for its end.
    void kill_agent(const HostId& host) const;

    Cluster cluster;
    std::optional<TestPeer> robot;

private:
    void end_agents() const;
};

std::uint32_t live_hosts(const View& view);
std::uint32_t free_slots(const View& view);       // of live, open hosts
/// Each end of a host by this ledger was cordoned, drained without a lease, and nothing was granted
/// there after: empty, or what was wrong (I13).
std::string wrong_ends(const std::vector<FactRecord>& facts);
/// Nothing was launched twice: as many instances as launches that did not fail, each of its own.
std::string wrong_launches(Fleet& fleet);

}  // namespace berth::testing
