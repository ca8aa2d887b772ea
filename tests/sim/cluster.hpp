// SPDX-License-Identifier: Apache-2.0
// One whole world: allocator, scaler, reaper, hosts, a provider, users and what befalls them, from
// the options to the verdict.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/options.hpp"
#include "tests/sim/rules.hpp"
#include "tests/sim/sim_allocator.hpp"
#include "tests/sim/sim_broker.hpp"
#include "tests/sim/sim_host.hpp"
#include "tests/sim/sim_reaper.hpp"
#include "tests/sim/sim_scaler.hpp"
#include "tests/sim/users.hpp"

namespace berth::sim {

struct Outcome {
    std::optional<Violation> violation;
    std::uint64_t ledger_hash = 0;
    std::uint64_t facts = 0;
    std::uint64_t events = 0;
    std::uint64_t calls = 0;              // that were checked for linearizability
    Duration virtual_time{0};
    std::map<std::string, std::uint64_t> counted;
    std::vector<Strike> schedule;
};

class Cluster {
public:
    explicit Cluster(Options options);

    Outcome run();
    const World& world() const { return world_; }
    const SimDisk& ledger() const { return ledger_; }
    void trace() { world_.tracing = true; }
    /// What the clients saw, in the order of their calls' ends.
    History history() const;

private:
    void start_allocator();
    void start_host(const Machine& machine);
    void end_host(const Machine& machine);
    void start_users();
    void misfortune();                    // once per virtual second: what the faults' struct says
    void host_misfortune(SimHost& host);
    void bus_misfortune(const std::string& machine);
    void come_back_later(const HostId& id);
    void restore_copy();
    void stop_allocators();
    void recover_ledger();
    void heal();
    std::shared_ptr<SimHost> any_host();
    void note_heard();
    bool is_heard(const HostRef& host, Instant before) const;
    bool step_until(Instant until);

    Options options_;
    World world_;
    SimBroker broker_;
    Truth truth_;
    SimDisk ledger_;
    SimProvider provider_;
    std::vector<std::shared_ptr<SimHost>> hosts_;          // of every life
    std::shared_ptr<SimReaper> reaper_;
    std::shared_ptr<SimScaler> scaler_;
    std::vector<std::shared_ptr<SimAllocator>> allocators_;
    std::shared_ptr<SimAllocator> serving_;                // the newest to begin
    std::vector<std::shared_ptr<User>> users_;
    Invariants invariants_;
    std::map<HostId, std::uint32_t> lives_;
    std::map<HostId, std::pair<HostIncarnation, Instant>> heard_;   // by the serving allocator, in its life; since when
    Instant begin_;
    Position highest_;                                     // that any ledger of this world had
    bool recovering_ = false;                              // an old copy was put back, and nobody said so yet
    bool healing_ = false;
};

}  // namespace berth::sim
