// SPDX-License-Identifier: Apache-2.0
// The scaler's parts list: the ledger's view and the providers' listings go into step(); requests to
// the allocator and calls of a provider's thread come out, and each outcome goes in again once.
//
//   Follower (view, facts) ──────┐          ┌─► allocator.launch, .cordon, .drain, … ─► Answered ─┐
//   scaler.terminate_orphan ─────┼─► step ──┼─► provider (launch, end)    ─► CallAnswered ───────┼─► step
//   provider (listing) ┬─────────┘          └─► replies                                           │
//                     └─► provider.snapshot                                                       ┘
#pragma once

#include <map>
#include <memory>
#include <string>

#include "scaler/provider_calls.hpp"
#include "shell/shell.hpp"

namespace berth::scaler {

class Process final : public shell::Shell<Process, State, Input, Decisions> {
public:
    /// Acts once the loop runs. Loop and endpoint outlive it. It fails when a provider's call never comes
    /// back and holds its thread: only a new process gets it going again, and it may, since each call is
    /// by a token or a name.
    Process(bus::Loop& loop, bus::Endpoint& endpoint, Policy policy, Rng rng, const Providers& providers);

    /// False when a provider's call is still under way after that time.
    bool stop(Duration wait);

private:
    friend Shell;
    void hear_listing(ProviderSnapshot snapshot);
    void look_at_providers();
    using Shell::out;
    void out(const Reply& answer) { reply(answer.caller, answer.body); }
    void out(const Ask& wanted);
    void out(const Call& wanted);

    std::map<std::string, std::unique_ptr<ProviderCalls>> providers_;
};

}  // namespace berth::scaler
