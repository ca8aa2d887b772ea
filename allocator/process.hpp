// SPDX-License-Identifier: Apache-2.0
// The allocator's parts list: what is asked and heard, the ledger that keeps, and how each kind of decision
// leaves. The shell steps a whole round, appends its facts at once, and only then lets anything out (I5).
#pragma once

#include <memory>
#include <vector>

#include "allocator/ledger.hpp"
#include "allocator/shell_policy.hpp"
#include "allocator/step.hpp"
#include "shell/shell.hpp"

namespace berth::allocator {

class Process final : public shell::Shell<Process, State, Input, Decisions> {
public:
    /// Replays the ledger (from `known` on, if given) and begins a term. Loop, endpoint and ledger outlive it. It fails when an append
    /// did: nothing that it held was ever answered.
    static Result<std::unique_ptr<Process>> open(bus::Loop& loop, bus::Endpoint& endpoint, Ledger& ledger,
                                                 Policy policy, ShellPolicy shell_policy,
                                                 const std::vector<PoolDefined>& pools, std::optional<View> known = {});
    const View& view() const { return state().view; }

private:
    friend Shell;
    Process(bus::Loop& loop, bus::Endpoint& endpoint, Ledger& ledger, State state, ShellPolicy shell_policy);
    void serve_all();
    template <class T>
    void serve_asked();
    void serve_queries();
    void hear_all();
    void publish_head();
    void tidy();
    Result<void> save_snapshot();

    /// Where another allocator can write, what leaves without a fact has to be confirmed too (I4).
    bool must_keep(const Decisions& decided) const { return decided.durable() || !ledger_.exclusive(); }
    void keep(const Decisions& decided, std::function<void(Result<void>)> done);
    using Shell::out;
    void out(const Reply& answer) { reply(answer.caller, answer.body); }
    void out(const FactRecord& fact);
    void out(const ClaimProgress& progress) { endpoint().publish(progress, {.subject = progress.claim.value}); }
    void out(const Command& command);

    Ledger& ledger_;
    ShellPolicy shell_policy_;
    Position snapshot_at_;
    Storage storage_ = Storage::ample;
};

}  // namespace berth::allocator
