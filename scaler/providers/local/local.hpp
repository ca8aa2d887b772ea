// SPDX-License-Identifier: Apache-2.0
// Hosts as processes of this machine: each a berth-hostagent with a folder, a key, an address and a
// proxy port of its own. The "machine" is the folder: an agent that dies is started again in the same
// incarnation, over restarts of the scaler and of the real machine, until the host is terminated.
//
//   (instance.json) running ──► terminating ─(programs, environments, key)─► *terminated (ended_hosts/)
//                      │ ▲
//                      └─┘ its agent died: started again, with growing pauses
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "os/lock.hpp"
#include "os/process.hpp"
#include "scaler/one_by_one.hpp"
#include "scaler/providers/local/instance_file.hpp"
#include "scaler/providers/local/policy.hpp"

namespace berth::scaler {

struct LocalSetup {
    std::string state;                    // the state folder, absolute
    std::string config;                   // what the agents are given; empty: none
    std::string log_level;
};

class LocalProvider final : public OneByOne {
public:
    /// One per state folder: waits a moment for the one of an earlier scaler to let go, then refuses.
    static Result<std::unique_ptr<LocalProvider>> open(const Clock& clock, LocalPolicy policy, LocalSetup setup);

    Provided<Listed> list() override;
    Provided<void> terminate(const std::string& instance, const HostIncarnation& incarnation) override;
    void tend() override;

private:
    Provided<Instance> launch_one(const LaunchId& launch, const PoolDefined& pool) override;
    Provided<void> protect_one(const std::string& instance, Protection protection) override;

    struct Care {                         // of one agent that we start
        pid_t child = 0;                  // 0: not our child, or buried
        Instant started_at;
        Instant not_before;
        std::uint32_t deaths = 0;         // in a row
    };
    struct Known {
        std::vector<LocalInstance> running;
        std::vector<LocalInstance> ended;
        std::vector<std::string> unreadable;
    };
    LocalProvider(const Clock& clock, LocalPolicy policy, LocalSetup setup, os::Lock lock);

    Known read_all() const;
    Result<LocalInstance> make(const std::string& host, const LaunchId& launch, const PoolDefined& pool);
    Result<LocalInstance> with_addresses(LocalInstance instance) const;
    Result<void> keep_running(const LocalInstance& instance);
    Result<void> start_agent(const LocalInstance& instance, Care& care);
    Result<void> end(LocalInstance instance);
    Result<void> end_environments(const LocalInstance& instance);
    Result<void> forget(LocalInstance instance);
    void bury(Care& care);
    void prune_ended(std::vector<LocalInstance> ended) const;

    std::vector<std::string> agent_arguments(const LocalInstance& instance) const;
    std::string folder(const std::string& host) const { return setup_.state + "/hosts/" + host; }
    std::string file(const std::string& host) const { return folder(host) + "/instance.json"; }
    std::string ended_file(const std::string& host) const { return setup_.state + "/ended_hosts/" + host + ".json"; }
    std::string log(const std::string& host) const { return setup_.state + "/log/" + host + ".log"; }
    std::string keys() const { return setup_.state + "/keys"; }

    const Clock& clock_;
    LocalPolicy policy_;
    LocalSetup setup_;
    os::Lock lock_;
    std::map<std::string, Care> cares_;   // by host
};

/// The process whose number is in that file, if it runs and one of its arguments is that folder or
/// something below it: a number that was written down may be another program's by now.
std::optional<os::RunningProcess> find_program(const std::string& pid_file, const std::string& folder);

/// "l-12" is host "h-12"; any other launch id "x" is "h-x". An error when that is no label.
Result<std::string> host_of(const LaunchId& launch);

}  // namespace berth::scaler
