// SPDX-License-Identifier: Apache-2.0
// The allocator's core: who gets which slot. step() takes one input and changes the state at once;
// what must leave the process comes back as Decisions, and the shell lets nothing out before the
// facts are durable: facts → replies → publishes → commands (I5). If the append fails the state is
// ahead of the ledger, and the process must end and recover from disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "allocator/state.hpp"
#include "events/envelope.hpp"

namespace berth::allocator {

/// A request, as the broker proved it. No caller: it was published, and nobody waits for a reply.
template <class T>
struct Asked {
    std::optional<CallerId> caller;
    Role role = Role::client;
    std::string sender;
    std::string message;                  // id of the message: the cause of what follows
    T body;
};

/// First input after replay: this process begins its term.
struct Begin {
    std::string ledger;
    std::string version;
};
struct PoolConfigured {
    PoolDefined pool;
};
/// All that the configuration names, after each was given as PoolConfigured: others are retired.
struct PoolsConfigured {
    std::vector<PoolName> pools;
};
struct StorageChanged {
    Storage storage = Storage::ample;
};
struct IdleIntended {
    WorkspaceIdle intent;
    Reason reason;
    std::string message;
};
struct Tick {};

using HostAnswer = std::variant<BindReply, StopReply, LinkReply, EraseReply, SealReply>;
/// What came of a command: the host's answer, its error, or the request's timeout.
struct CommandAnswered {
    CommandId command;
    Result<HostAnswer> answer;
};

using Input = std::variant<Begin, PoolConfigured, PoolsConfigured, StorageChanged, Tick, IdleIntended, CommandAnswered,
                           Asked<ClaimRequest>, Asked<ClaimOutcomeRequest>, Asked<LinkRequest>, Asked<ReleaseRequest>,
                           Asked<DestroyRequest>, Asked<ExtendRequest>, Asked<HoldRequest>, Asked<SaveHomeRequest>, Asked<ChooseHomeRequest>, Asked<RegisterRequest>,
                           Asked<HostHeartbeat>, Asked<HostObjected>, Asked<CordonRequest>, Asked<UncordonRequest>,
                           Asked<DrainRequest>, Asked<EndHostRequest>, Asked<PermitCheckRequest>, Asked<UnknownRequest>, Asked<GoneRequest>,
                           Asked<CondemnRequest>,
                           Asked<LaunchRequest>, Asked<LaunchFailedRequest>, Asked<LaunchMetRequest>, Asked<HostPricedRequest>, Asked<ReapRequest>>;

using ReplyBody = std::variant<ClaimReply, Done, HostOrders, Permit, LaunchReply, EndHostReply>;
struct Reply {
    CallerId caller;
    Result<ReplyBody> body;
};

using CommandBody = std::variant<BindCommand, StopCommand, LinkCommand, EraseCommand, SealCommand>;
struct Command {
    CommandId id;
    HostId host;
    Duration timeout{0};
    std::string cause;
    CommandBody body;
};

struct Decisions {
    std::vector<FactRecord> facts;        // applied to the state already, to be appended in this order
    std::vector<Reply> replies;
    std::vector<ClaimProgress> progress;
    std::vector<Command> commands;        // to hosts

    auto in_order() { return std::tie(replies, facts, progress, commands); }
    bool durable() const { return !facts.empty(); }
};

/// A state with this view, ready for Begin. The view is what replay gave.
State make_state(Policy policy, View view);

Decisions step(State& state, const Input& input, Instant now);

/// All that this host should hold now: the answer to its heartbeat.
HostOrders orders_of(const State& state, const HostView& host);

}  // namespace berth::allocator
