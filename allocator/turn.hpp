// SPDX-License-Identifier: Apache-2.0
// One turn of the core: the state, the moment, and what the turn decided so far. Every fact goes
// through record(), which applies it and keeps the derived look-ups right.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "allocator/step.hpp"

namespace berth::allocator {

class Turn {
public:
    Turn(State& of, Instant at) : state(of), now(at) {}

    State& state;
    const Instant now;
    Decisions out;
    std::string cause;                    // message id that began this turn
    std::string actor = "allocator";      // who the reasons name
    std::optional<LinkReply> link;        // that came with the bind's answer; the first caller who is granted gets it

    void record(Fact fact, std::string why, std::vector<std::string> evidence = {});
    void reply(std::optional<CallerId> caller, ReplyBody body);
    void refuse(std::optional<CallerId> caller, Error error);
    void command(PendingCommand pending, CommandBody body, Duration timeout);
    Done done(std::uint32_t count) const { return Done{count, state.view.position}; }

    std::uint64_t next_position() const { return state.view.position.value + 1; }
    WorkspaceView& workspace(const WorkspaceId& id) { return state.view.workspaces.at(id); }
};

// ---- derived look-ups (state.cpp)
void refresh_rank(State& state, const HostId& id);
void schedule(State& state, const WorkspaceId& id, Instant at);
void unschedule(State& state, const WorkspaceId& id);
/// Whose wish a request is: the gateway names who it speaks for, of others it is the sender.
Principal principal_of(Role role, const std::string& sender, const std::optional<Principal>& named);
/// Acceptance order of a claim; from its id.
std::uint64_t order_of(const ClaimId& id);

// ---- claims (claims.cpp)
void ask_claim(Turn& turn, const Asked<ClaimRequest>& asked);
void ask_outcome(Turn& turn, const Asked<ClaimOutcomeRequest>& asked);
void place(Turn& turn, const ClaimId& id);
void serve_queues(Turn& turn);                       // grant what can be granted, in order
void resume_claims(Turn& turn);                      // after a restart: who waits for a workspace that exists
void serve_followers(Turn& turn, const WorkspaceId& id);
void end_claim(Turn& turn, const ClaimId& id, ClaimState state, ErrorKind kind, std::string text);
void expire_claims(Turn& turn);
void tell_progress(Turn& turn);
ClaimReply claim_reply(const State& state, const ClaimView& claim);
Error disk_is_full();
bool extend_lease(Turn& turn, const WorkspaceView& workspace, Instant wanted, std::string why);

// ---- leases and workspaces (leases.cpp)
/// Workspaces that a request names. An empty reference names nothing.
std::vector<WorkspaceId> resolve(const View& view, const WorkspaceRef& ref);
std::string describe(const WorkspaceRef& ref);
void drive(Turn& turn, const WorkspaceId& id);       // the next act that its state calls for
void drive_due(Turn& turn);
void begin_stop(Turn& turn, const WorkspaceId& id, std::string why, std::vector<std::string> evidence = {});
/// Ends what starts or runs on this host; how many. A claim whose workspace only starts goes elsewhere.
std::uint32_t stop_workspaces(Turn& turn, const HostView& host, const std::string& why);
void finish_stop(Turn& turn, const WorkspaceId& id, std::string why);
ClaimReply reply_with(const State& state, const PendingCommand& asked, const WorkspaceView& workspace, const LinkReply& link);
/// From its host, or the one that came with its answer.
void ask_link(Turn& turn, const WorkspaceView& workspace, std::optional<CallerId> caller, std::optional<ClaimId> claim);
void ask(Turn& turn, const Asked<LinkRequest>& asked);
void ask(Turn& turn, const Asked<ReleaseRequest>& asked);
void ask(Turn& turn, const Asked<DestroyRequest>& asked);
void ask(Turn& turn, const Asked<ExtendRequest>& asked);
void ask(Turn& turn, const Asked<HoldRequest>& asked);
void ask(Turn& turn, const Asked<ReapRequest>& asked);
void hear_idle(Turn& turn, const IdleIntended& intended);
void ask(Turn& turn, const Asked<HostObjected>& asked);
void hear_answer(Turn& turn, const CommandAnswered& answered);

// ---- homes, and hosts that leave (homes.cpp)
/// How hosts of the pool keep homes; nothing when it does not say.
std::optional<HomeRule> home_rule_of(const State& state, const PoolName& pool);
std::optional<HomeOrder> home_order_of(const State& state, const WorkspaceView& workspace);
/// The only host where it may start, because its files are there.
std::optional<HostId> home_pin(const State& state, const WorkspaceView& workspace, const PoolName& pool);
void note_archive(Turn& turn, const WorkspaceId& id, Epoch epoch, const std::optional<HomeArchive>& archive);
/// Nothing of its home is only on its host: the slot may be called free.
bool may_be_cleared(const WorkspaceView& workspace);
/// How long a start may take whose home is being brought back; nothing for others.
std::optional<Instant> restoring_until(const State& state, const WorkspaceView& workspace);
void note_restoring(Turn& turn, const SlotReport& report);
/// What keeps a stopping workspace; empty when nothing is known.
std::string why_not_stopped(const State& state, const WorkspaceView& workspace);
Result<void> check_home_mark(const State& state, const RegisterRequest& offer);
/// That life of the machine is over: what nobody saved is gone.
void lose_homes(Turn& turn, const HostRef& life, const std::string& how);
void ask(Turn& turn, const Asked<SaveHomeRequest>& asked);
void ask(Turn& turn, const Asked<ChooseHomeRequest>& asked);
void note_leaving(State& state, const HostId& id);
/// Nothing new lands there, and it is emptied at `by`.
void leave(Turn& turn, const HostView& host, Instant by, const std::string& why);
void note_notice(Turn& turn, const HostView& host, const std::optional<EndNotice>& notice);
void empty_who_leave(Turn& turn);
/// Those that the request names; none, and refused, when there is none.
template <class T>
std::vector<WorkspaceId> resolve_or_refuse(Turn& turn, const Asked<T>& asked) {
    auto found = resolve(turn.state.view, asked.body.target);
    if (found.empty()) {
        turn.refuse(asked.caller, {ErrorKind::not_found, fmt::format("no workspace with{}; see `berth list`", describe(asked.body.target))});
    }
    return found;
}

// ---- hosts, permits, launches (hosts.cpp, permits.cpp)
void ask(Turn& turn, const Asked<RegisterRequest>& asked);
void ask(Turn& turn, const Asked<HostHeartbeat>& asked);
void ask(Turn& turn, const Asked<UnknownRequest>& asked);
void ask(Turn& turn, const Asked<GoneRequest>& asked);
void ask(Turn& turn, const Asked<CondemnRequest>& asked);
/// Also at the begin: of several facts that were written at once, a torn ledger may have kept the first.
void end_leases_of_gone(Turn& turn, const HostView& host);
void ask(Turn& turn, const Asked<CordonRequest>& asked);
void ask(Turn& turn, const Asked<UncordonRequest>& asked);
void ask(Turn& turn, const Asked<DrainRequest>& asked);
void ask(Turn& turn, const Asked<PermitCheckRequest>& asked);
void ask(Turn& turn, const Asked<LaunchRequest>& asked);
void ask(Turn& turn, const Asked<LaunchFailedRequest>& asked);
void ask(Turn& turn, const Asked<LaunchMetRequest>& asked);
void ask(Turn& turn, const Asked<HostPricedRequest>& asked);
void hear_seal(Turn& turn, const PendingCommand& pending, const Result<HostAnswer>& answer);
void expire_launches(Turn& turn);

// ---- the end of a host (endings.cpp)
void ask(Turn& turn, const Asked<EndHostRequest>& asked);
/// The next step of one host that is ending, if there is one to take now.
void drive_ending(Turn& turn, const HostId& id);
void drive_endings(Turn& turn);

// ---- pools (pools.cpp)
void configure(Turn& turn, const PoolDefined& pool);
void configure(Turn& turn, const PoolsConfigured& all);
/// Ends a host of a retired pool; lets one stay whose pool is configured again.
void keep_pool_of(Turn& turn, const HostId& id);

// ---- an old copy of the ledger (recovery.cpp)
/// Why a host that has seen this must not be served: it knows positions that the ledger lacks.
std::optional<Error> why_doubted(Turn& turn, const HostId& host, Term term_seen, std::optional<Position> position_seen);
/// Why no lease may be granted yet: a host may run what the ledger takes for stopped.
std::optional<std::string> why_unsettled(const State& state, Instant now);
/// Whether what the host says to hold can be, if the recovered ledger is to meet it.
Result<void> check_meeting(const View& view, const RegisterRequest& offer);
/// Takes over what the host held before the ledger was recovered; once, and before it gets orders.
void meet(Turn& turn, const HostView& host, const RegisterRequest& offer);

}  // namespace berth::allocator
