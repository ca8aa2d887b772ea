// SPDX-License-Identifier: Apache-2.0
// Cordon, seal, permit, launch: what scaler, reaper and operators may do, and only after the ledger
// says so. A grant and a drain are ordered by the ledger, so they exclude each other (I13, I16).
#include <fmt/format.h>

#include <algorithm>

#include "allocator/turn.hpp"

namespace berth::allocator {

namespace {

template <class T>
const HostView* host_or_refuse(Turn& turn, const Asked<T>& asked, const HostRef& ref) {
    const auto* host = turn.state.view.host_of(ref);
    if (!host || host->liveness == Liveness::gone) {
        turn.refuse(asked.caller, {ErrorKind::not_found, fmt::format("no host {} in incarnation '{}'; see `berth hosts`", ref.host.value, ref.incarnation.value)});
        return nullptr;
    }
    return host;
}

void drain(Turn& turn, const HostRef& ref, std::optional<CallerId> caller, std::vector<std::string> evidence) {
    turn.record(HostDrained{ref}, "it is sealed and holds no lease", std::move(evidence));
    turn.reply(caller, Permit{ref, turn.state.view.term, turn.state.view.hosts.at(ref.host).drained_at});
}

}  // namespace

void ask(Turn& turn, const Asked<CordonRequest>& asked) {
    const auto* host = host_or_refuse(turn, asked, asked.body.host);
    if (!host) return;
    turn.actor = principal_of(asked.role, asked.sender, asked.body.principal).value;
    const auto why = asked.body.why.empty() ? "asked for" : asked.body.why;
    std::uint32_t changed = 0;
    if (host->admission == Admission::open) {
        turn.record(HostCordoned{asked.body.host}, why);
        ++changed;
    }
    if (asked.body.tenants == Tenants::stop && asked.body.by && *asked.body.by > turn.now) {
        if (host->admission == Admission::draining) {
            return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("host {} is sealed already: it is empty", host->host.value)});
        }
        changed += host->leaving && host->leaving->by == *asked.body.by ? 0 : 1;
        leave(turn, *host, *asked.body.by, why);
        return turn.reply(asked.caller, turn.done(changed));
    }
    if (asked.body.tenants == Tenants::stop) changed += stop_workspaces(turn, *host, fmt::format("its host is emptied: {}", why));
    turn.reply(asked.caller, turn.done(changed));
}

void ask(Turn& turn, const Asked<UncordonRequest>& asked) {
    const auto* host = host_or_refuse(turn, asked, asked.body.host);
    if (!host) return;
    if (host->admission == Admission::draining) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("host {} is sealed, which is for ever; it has to be ended", host->host.value)});
    }
    if (host->ending) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("host {} is being ended ({}); undo that first: berth hosts end {} --undo",
                                                                           host->host.value, host->ending->why, host->host.value)});
    }
    if (host->admission == Admission::open) return turn.reply(asked.caller, turn.done(0));
    turn.record(HostUncordoned{asked.body.host}, asked.body.why.empty() ? "asked for" : asked.body.why);
    turn.reply(asked.caller, turn.done(1));
}

void ask(Turn& turn, const Asked<DrainRequest>& asked) {
    const auto* host = host_or_refuse(turn, asked, asked.body.host);
    if (!host) return;
    const auto& ref = asked.body.host;
    const auto& view = turn.state.view;
    if (view.is_unsure_of(*host)) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("host {} is not ended: the ledger is an old copy{}; see docs/restore.md",
                                                                           host->host.value, view.doubted_by ? "" : " and has not met it yet")});
    }
    if (host->admission == Admission::draining) {
        return turn.reply(asked.caller, Permit{ref, turn.state.view.term, host->drained_at});
    }
    if (!host->idle()) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("host {} holds {} leases", host->host.value,
                                                                           host->count(SlotUse::leased) + host->count(SlotUse::stopping))});
    }
    const auto heard_by = turn.state.began_at + 3 * turn.state.policy.heartbeat;
    if (host->liveness == Liveness::unknown && turn.now < heard_by) {     // it may be back, and know that this ledger is an old copy
        return turn.refuse(asked.caller, {ErrorKind::unavailable, fmt::format("host {} was not heard since this allocator began; wait until {}",
                                                                              host->host.value, to_rfc3339(heard_by))});
    }
    if (host->admission == Admission::open) turn.record(HostCordoned{ref}, asked.body.why.empty() ? "it is to be drained" : asked.body.why);
    if (host->liveness == Liveness::unknown) return drain(turn, ref, asked.caller, {"unreachable, cordoned and without a lease"});
    turn.command({.kind = CommandKind::seal, .host = ref, .caller = asked.caller}, SealCommand{turn.state.view.term, ref.incarnation},
                 turn.state.policy.command_timeout);
}

void hear_seal(Turn& turn, const PendingCommand& pending, const Result<HostAnswer>& answer) {
    const auto* host = turn.state.view.host_of(pending.host);
    if (const auto at = turn.state.endings.find(pending.host.host); at != turn.state.endings.end() && !pending.caller) {
        at->second = {.open = false, .not_before = turn.now + turn.state.policy.command_retry};
    }
    if (!answer) return turn.refuse(pending.caller, answer.error());
    const auto* seal = std::get_if<SealReply>(&*answer);
    if (!seal || !host || host->liveness == Liveness::gone) {
        return turn.refuse(pending.caller, {ErrorKind::conflict, fmt::format("host {} changed while it was sealed", pending.host.host.value)});
    }
    if (host->admission == Admission::draining) {
        return turn.reply(pending.caller, Permit{pending.host, turn.state.view.term, host->drained_at});
    }
    if (seal->occupied > 0 || !host->idle() || host->admission == Admission::open) {
        return turn.refuse(pending.caller, {ErrorKind::conflict, fmt::format("host {} is in use: {} environments by its own word, {} leases by the ledger",
                                                                             host->host.value, seal->occupied,
                                                                             host->count(SlotUse::leased) + host->count(SlotUse::stopping))});
    }
    drain(turn, pending.host, pending.caller, {fmt::format("sealed by incarnation {}", seal->incarnation.value)});
    drive_ending(turn, pending.host.host);
}

void ask(Turn& turn, const Asked<PermitCheckRequest>& asked) {
    const auto& permit = asked.body.permit;
    const auto* host = turn.state.view.host_of(permit.host);
    const bool good = host && host->admission == Admission::draining && host->drained_at == permit.position &&
                      permit.term == turn.state.view.term && host->idle() && !turn.state.view.doubted_by;
    if (!good) {
        return turn.refuse(asked.caller, {ErrorKind::fenced, fmt::format("the permit for {} of term {} is no longer good (the term is {}); ask again",
                                                                         permit.host.host.value, permit.term.value, turn.state.view.term.value)});
    }
    turn.reply(asked.caller, turn.done(1));
}

void ask(Turn& turn, const Asked<LaunchRequest>& asked) {
    const auto at = turn.state.view.pools.find(asked.body.pool);
    if (at == turn.state.view.pools.end()) {
        return turn.refuse(asked.caller, {ErrorKind::not_found, fmt::format("no pool '{}'", asked.body.pool.value)});
    }
    if (turn.state.view.is_retired(asked.body.pool)) {
        return turn.refuse(asked.caller, {ErrorKind::not_found, fmt::format("pool '{}' is retired: it is configured no more", asked.body.pool.value)});
    }
    if (turn.state.view.doubted_by) {
        return turn.refuse(asked.caller, {ErrorKind::unavailable, "the ledger is an old copy and may not know the newest hosts; see docs/restore.md"});
    }
    std::uint32_t exist = 0, in_flight = 0;
    for (const auto& [id, host] : turn.state.view.hosts) {
        exist += host.pool == at->first && host.liveness != Liveness::gone ? 1 : 0;
    }
    for (const auto& [id, launch] : turn.state.view.launches) in_flight += launch.pool == at->first ? 1 : 0;
    const auto used = exist + in_flight;
    const auto room = at->second.hosts_max > used ? at->second.hosts_max - used : 0;
    const auto flights = turn.state.policy.launches_in_flight_max > in_flight ? turn.state.policy.launches_in_flight_max - in_flight : 0;
    const auto count = std::min({asked.body.count, room, flights});
    if (count == 0) {
        return turn.refuse(asked.caller, {ErrorKind::no_capacity, fmt::format("pool {} has {} hosts and {} in flight; its maximum is {}",
                                                                              at->first.value, exist, in_flight, at->second.hosts_max)});
    }
    LaunchReply reply{.deadline = turn.now + turn.state.policy.launch_deadline};
    for (std::uint32_t i = 0; i < count; ++i) {
        const LaunchId id{fmt::format("l-{}", turn.next_position())};
        turn.record(LaunchStarted{id, at->first, turn.now, reply.deadline}, asked.body.why.empty() ? "the buffer needs it" : asked.body.why,
                    asked.body.evidence);
        reply.launches.push_back(id);
    }
    turn.reply(asked.caller, reply);
}

void ask(Turn& turn, const Asked<LaunchFailedRequest>& asked) {
    const auto at = turn.state.view.launches.find(asked.body.launch);
    if (at == turn.state.view.launches.end()) return turn.reply(asked.caller, turn.done(0));
    turn.record(LaunchFailed{at->first, at->second.pool, asked.body.failure, asked.body.text},
                asked.body.text.empty() ? std::string{to_string(asked.body.failure)} : asked.body.text);
    turn.reply(asked.caller, turn.done(1));
}

void ask(Turn& turn, const Asked<LaunchMetRequest>& asked) {
    const auto& [launch, ref, provider] = asked.body;
    const auto at = turn.state.view.launches.find(launch);
    if (at == turn.state.view.launches.end()) return turn.reply(asked.caller, turn.done(0));
    const auto* host = turn.state.view.host_of(ref);
    if (!host || host->liveness == Liveness::gone) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("no host {} in that incarnation, so launch {} is not met yet", ref.host.value, launch.value)});
    }
    if (host->pool != at->second.pool) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("launch {} was for pool {}, but host {} offers its slots to {}: mend --pool there",
                                                                           launch.value, at->second.pool.value, ref.host.value, host->pool.value)});
    }
    const LaunchMet met{launch, at->second.pool, ref, provider};
    turn.record(met, fmt::format("{} lists {} as the machine of launch {}", provider, host->instance, launch.value));
    turn.reply(asked.caller, turn.done(1));
}

void ask(Turn& turn, const Asked<HostPricedRequest>& asked) {
    const auto& [ref, price] = asked.body;
    const auto* host = turn.state.view.host_of(ref);
    if (!host || host->liveness == Liveness::gone) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("no host {} in that incarnation that could cost anything", ref.host.value)});
    }
    if (host->price == price) return turn.reply(asked.caller, turn.done(0));
    turn.record(HostPriced{ref, price}, fmt::format("its provider lists it as a {}", price.machine_type));
    turn.reply(asked.caller, turn.done(1));
}

void expire_launches(Turn& turn) {
    // The scaler speaks first, at the deadline; this ends what it never spoke of.
    std::vector<LaunchStarted> over;
    for (const auto& [id, launch] : turn.state.view.launches) {
        if (launch.deadline + (launch.deadline - launch.started_at) <= turn.now) over.push_back(launch);
    }
    for (const auto& launch : over) {
        turn.record(LaunchFailed{launch.launch, launch.pool, LaunchFailure::lost, "no host registered by twice its deadline"},
                    "no host registered by twice its deadline");
    }
}

}  // namespace berth::allocator
