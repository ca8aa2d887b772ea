// SPDX-License-Identifier: Apache-2.0
// A host that does what it is told at once, and remembers what it was told.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/support/cluster.hpp"

namespace berth::testing {

class ScriptedHost {
public:
    ScriptedHost(Cluster& cluster, const std::string& name, std::uint32_t slots);

    TestPeer& peer() { return peer_; }
    Result<HostOrders> enrol();
    Result<HostOrders> beat();
    /// Every slot is a standby from its next beat on.
    void prepare();
    const std::map<std::uint32_t, SlotReport>& reports() const { return reports_; }
    /// As for idleness: its next beat says so. Nothing when that epoch is not bound there.
    void stop_by_itself(std::uint32_t slot, Epoch epoch, const std::string& why);

    std::vector<BindCommand> bound;
    std::vector<StopCommand> stopped;
    std::uint32_t links = 0;
    bool answers_binds = true;            // when false: as if it hung
    bool gives_links = true;              // with its answers to binds; when false: as an older one
    /// From any thread: what was held back is answered now, and what comes at once.
    void answer_held_binds();

private:
    LinkReply link_to(const WorkspaceId& workspace);
    std::vector<std::function<void()>> held_;
    std::string name_;
    std::uint32_t slots_;
    TestPeer peer_;
    std::map<std::uint32_t, SlotReport> reports_;
};

}  // namespace berth::testing
