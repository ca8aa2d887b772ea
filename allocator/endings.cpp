// SPDX-License-Identifier: Apache-2.0
// The end of a host, from the wish to the permit. Each step is a fact, and the next one follows from
// the view alone: at the begin, at each tick, and as soon as somebody asks. So it goes on wherever an
// allocator died, and nobody else has to remember it.
//
//   asked ─► cordoned ─► empty ─► sealing ─► draining ─► (the scaler: permit, terminate) ─► *gone
//     │         │          │         └─ the seal may be out: from here on there is no way back
//     └─────────┴──────────┴─► *withdrawn
//   with force its workspaces are stopped; a host that is silent waits for its own word or the provider's;
//   a static host has no provider: sealed, it is gone
#include <fmt/format.h>

#include "allocator/turn.hpp"
#include "events/ending.hpp"

namespace berth::allocator {

namespace {

HostRef ref_of(const HostView& host) { return {host.host, host.incarnation}; }

void retire(Turn& turn, const HostView& host, std::string why) {
    turn.record(HostGone{ref_of(host)}, std::move(why), {host.ending->why});
    end_leases_of_gone(turn, host);
    turn.state.seen.erase(host.host);
}

void ask_for_seal(Turn& turn, const HostView& host) {
    auto& trying = turn.state.endings[host.host];
    if (trying.open || trying.not_before > turn.now) return;
    if (!host.ending->sealing) turn.record(HostSealing{ref_of(host)}, "it is cordoned and empty", {host.ending->why});
    trying.open = true;
    turn.command({.kind = CommandKind::seal, .host = ref_of(host)}, SealCommand{turn.state.view.term, host.incarnation},
                 turn.state.policy.command_timeout);
}

void withdraw(Turn& turn, const Asked<EndHostRequest>& asked, const HostView& host) {
    const auto refuse = [&](std::string_view why) {
        turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("the end of host {} can not be undone: {}", host.host.value, why)});
    };
    if (!host.ending) return turn.reply(asked.caller, EndHostReply{.position = turn.state.view.position});
    if (host.admission == Admission::draining) return refuse("it is sealed, which is for ever");
    if (host.ending->sealing) return refuse("its agent was asked for the seal, which is for ever");
    if (host.ending->cause == EndCause::pool_retired) {
        return refuse(fmt::format("pool '{}' is configured no more; put [pool.{}] back and start the allocator again", host.pool.value, host.pool.value));
    }
    const auto why = asked.body.why.empty() ? fmt::format("{} wants to keep it", turn.actor) : asked.body.why;
    // In this order, so that whatever a torn ledger keeps of the two is a host that is still ending.
    if (host.ending->closed && host.admission == Admission::cordoned) turn.record(HostUncordoned{ref_of(host)}, why);
    turn.record(HostEndWithdrawn{ref_of(host)}, why);
    turn.reply(asked.caller, EndHostReply{.changed = 1, .position = turn.state.view.position});
}

std::uint32_t running_on(const View& view, const HostView& host) {
    std::uint32_t found = 0;
    for (const auto& slot : host.slots) {
        if (slot.workspace.empty()) continue;
        const auto state = view.workspaces.at(slot.workspace).state;
        found += state == WorkspaceState::starting || state == WorkspaceState::active ? 1 : 0;
    }
    return found;
}

}  // namespace

void ask(Turn& turn, const Asked<EndHostRequest>& asked) {
    const auto* host = turn.state.view.host_of(asked.body.host);
    const bool over = host && host->liveness == Liveness::gone;
    if (over && asked.body.mode != EndMode::undo) return turn.reply(asked.caller, EndHostReply{.position = turn.state.view.position});
    if (!host || over) {
        return turn.refuse(asked.caller, {ErrorKind::not_found, fmt::format("no host {} in incarnation '{}'; see `berth hosts`",
                                                                            asked.body.host.host.value, asked.body.host.incarnation.value)});
    }
    turn.actor = principal_of(asked.role, asked.sender, asked.body.principal).value;
    if (asked.body.mode == EndMode::undo) return withdraw(turn, asked, *host);
    const bool force = asked.body.mode == EndMode::force;
    EndHostReply reply{.stopped = running_on(turn.state.view, *host)};
    if (!host->ending || (force && !host->ending->force) || host->ending->cause != EndCause::asked) {
        auto why = fmt::format("{} asked to end it{}", turn.actor, force ? " by force (--force)" : "");
        if (!asked.body.why.empty()) why += ": " + asked.body.why;
        turn.record(HostEnding{.host = asked.body.host, .cause = EndCause::asked, .force = force || (host->ending && host->ending->force)},
                    std::move(why));
        reply.changed = 1;
    }
    drive_ending(turn, host->host);
    reply.stopped -= running_on(turn.state.view, *host);
    reply.waits_for = waits_for(turn.state.view, *host);
    reply.position = turn.state.view.position;
    turn.reply(asked.caller, std::move(reply));
}

void drive_ending(Turn& turn, const HostId& id) {
    const auto& host = turn.state.view.hosts.at(id);
    if (!host.ending || host.liveness == Liveness::gone) return;
    if (host.admission == Admission::open) turn.record(HostCordoned{ref_of(host)}, "it is to be ended", {host.ending->why});
    if (turn.state.view.is_unsure_of(host)) return;
    const bool silent = host.liveness == Liveness::unknown;
    if (host.admission == Admission::draining) {
        if (host.is_static()) retire(turn, host, "it is sealed, and no provider has its machine: this is its end");
        return;
    }
    if (host.is_static() && host.ending->cause == EndCause::pool_retired) return;   // only its owner ends it
    if (host.ending->force) stop_workspaces(turn, host, "its host is being ended: " + host.ending->why);
    if (!host.idle()) {
        if (silent && host.is_static() && host.ending->force) {
            retire(turn, host, fmt::format("it is silent, and {} says that its machine is off", host.ending->by));
        }
        return;
    }
    if (!silent) return ask_for_seal(turn, host);
    // It may be back, and know that this ledger is an old copy.
    if (turn.now < turn.state.began_at + 3 * turn.state.policy.heartbeat) return;
    turn.record(HostDrained{ref_of(host)}, "it holds no lease", {"unreachable, cordoned and without a lease", host.ending->why});
    drive_ending(turn, id);
}

void drive_endings(Turn& turn) {
    std::vector<HostId> ending;
    for (const auto& [id, trying] : turn.state.endings) ending.push_back(id);
    for (const auto& id : ending) drive_ending(turn, id);
}

}  // namespace berth::allocator
