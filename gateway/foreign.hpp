// SPDX-License-Identifier: Apache-2.0
// Machines whose agents speak HTTP alone (requirement 22: POST /register, POST /heartbeat). Each is one slot, a
// whole machine without containers. The gateway stands for its agent on the bus, with a key of that machine's own
// (I23): it says what the machine last said, and falls silent with it.
//
//   registered ─(bind)─► leased ─(stop)─► used ─(it registers again: it was recycled)─► registered
//                                           └─(compat.machines_reused)─► registered
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bus/zmq_endpoint.hpp"
#include "gateway/step.hpp"

namespace berth::gateway {

class ForeignAgent {
public:
    /// `slot` is what the ledger knows of it, for a gateway that starts again.
    static Result<std::unique_ptr<ForeignAgent>> open(bus::ZmqLoop& loop, const CompatPolicy& policy, const std::string& state,
                                                      const Machine& machine, PoolName pool, SlotReport slot);

    using Done = std::function<void(Result<void>)>;
    enum class Recycled {
        no,
        yes        // nothing of an earlier user is on it: its agent's word, by registering
    };
    void register_host(ForeignSaid said, Recycled recycled, Done done);
    void beat(Done done);
    bool is_registered() const { return registered_; }

private:
    ForeignAgent(const CompatPolicy& policy, Machine machine, PoolName pool, SlotReport slot);
    void serve();
    void take(const HostOrders& orders);
    void stop(const StopCommand& command, const bus::Responder& to);
    Result<void> admit(Term term);
    HostHeartbeat heartbeat() const;
    std::string url() const;

    const CompatPolicy& policy_;
    const Machine machine_;
    const PoolName pool_;
    ForeignSaid said_;
    SlotReport slot_;
    Term term_;
    Position position_;
    bool registered_ = false;
    bool sealed_ = false;
    std::unique_ptr<bus::Endpoint> endpoint_;
};

}  // namespace berth::gateway
