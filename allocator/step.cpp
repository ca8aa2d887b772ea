// SPDX-License-Identifier: Apache-2.0
// One visit per input; what each does stands in claims.cpp, leases.cpp, hosts.cpp, permits.cpp,
// endings.cpp, pools.cpp.
#include "allocator/step.hpp"

#include "allocator/turn.hpp"

namespace berth::allocator {

namespace {

class Dispatch {
public:
    explicit Dispatch(Turn& turn) : turn_(turn) {}

    void operator()(const Begin& begin) {
        turn_.record(TookOver{begin.ledger, begin.version}, "this process opened the ledger and begins its term");
        turn_.state.began_at = turn_.now;
        std::vector<HostId> gone;
        for (const auto& [id, host] : turn_.state.view.hosts) {
            if (host.liveness == Liveness::gone && !host.idle()) gone.push_back(id);
        }
        for (const auto& id : gone) end_leases_of_gone(turn_, turn_.state.view.hosts.at(id));
        drive_endings(turn_);
        // Of workspaces and claims that were on their way, nobody remembers a command: drive them all.
        drive_due(turn_);
        resume_claims(turn_);
    }
    void operator()(const PoolConfigured& configured) { configure(turn_, configured.pool); }
    void operator()(const PoolsConfigured& configured) { configure(turn_, configured); }
    void operator()(const StorageChanged& changed) { turn_.state.storage_low = changed.storage == Storage::low; }
    void operator()(const Tick&) {
        expire_claims(turn_);
        expire_launches(turn_);
        drive_due(turn_);
        empty_who_leave(turn_);
        drive_endings(turn_);
        tell_progress(turn_);
    }
    void operator()(const IdleIntended& intended) { hear_idle(turn_, intended); }
    void operator()(const CommandAnswered& answered) { hear_answer(turn_, answered); }
    void operator()(const Asked<ClaimRequest>& asked) { ask_claim(turn_, asked); }
    void operator()(const Asked<ClaimOutcomeRequest>& asked) { ask_outcome(turn_, asked); }
    template <class T>
    void operator()(const Asked<T>& asked) {
        ask(turn_, asked);
    }

private:
    Turn& turn_;
};

struct Opening {
    template <class T>
    std::pair<std::string, std::string> operator()(const Asked<T>& asked) const {
        return {asked.message, asked.sender};
    }
    std::pair<std::string, std::string> operator()(const IdleIntended& intended) const {
        return {intended.message, intended.reason.actor()};
    }
    template <class T>
    std::pair<std::string, std::string> operator()(const T&) const {
        return {"", "allocator"};
    }
};

}  // namespace

Decisions step(State& state, const Input& input, Instant now) {
    Turn turn(state, now);
    auto [cause, actor] = std::visit(Opening{}, input);
    turn.cause = std::move(cause);
    if (!actor.empty()) turn.actor = std::move(actor);
    std::visit(Dispatch{turn}, input);
    turn.actor = "allocator";
    serve_queues(turn);
    return std::move(turn.out);
}

}  // namespace berth::allocator
