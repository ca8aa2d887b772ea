// SPDX-License-Identifier: Apache-2.0
// The shell of the scaler: the ledger's view and the providers' listings go into step(); requests to
// the allocator and calls of a provider's thread come out, and each outcome goes in again once.
//
//   Follower (view, facts) ──────┐          ┌─► allocator.launch, .cordon, .drain, … ─► Answered ─┐
//   scaler.terminate_orphan ─────┼─► step ──┼─► Worker (launch, terminate) ─► CallAnswered ───────┼─► step
//   Worker (listing) ─┬──────────┘          └─► replies                                           │
//                     └─► provider.snapshot                                                       ┘
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "bus/follower.hpp"
#include "scaler/worker.hpp"

namespace berth::scaler {

using Providers = std::map<std::string, std::unique_ptr<Provider>>;

class Process {
public:
    /// Acts once the loop runs. Loop and endpoint outlive it.
    Process(bus::Loop& loop, bus::Endpoint& endpoint, Policy policy, Rng rng, Providers providers);

    /// False when a provider's call is still under way after that time.
    bool stop(Duration wait);
    /// Why it stopped the loop by itself: a provider's call that never came back holds its thread, and
    /// only a new process gets it going again. It may: each call is by a token or a name.
    const std::optional<Error>& failure() const { return failure_; }

private:
    void take(Input input);
    void take_listing(ProviderSnapshot snapshot);
    void look_at_workers();
    void say(const Line& line);
    void ask(Ask wanted);
    void call(Call wanted);
    void reply(Reply answer);

    bus::Loop& loop_;
    bus::Endpoint& endpoint_;
    State state_;
    std::map<CallerId, bus::Responder> callers_;
    CallerId next_caller_ = 1;
    bus::Follower follower_;
    std::map<std::string, std::unique_ptr<Worker>> workers_;
    std::optional<Error> failure_;
};

}  // namespace berth::scaler
