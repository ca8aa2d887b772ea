// SPDX-License-Identifier: Apache-2.0
// What hosts say of themselves, and what is decided about their lives (I10, I14, I15).
#include <fmt/format.h>

#include <algorithm>

#include "allocator/turn.hpp"
#include "base/about.hpp"
#include "events/instances.hpp"

namespace berth::allocator {

namespace {

constexpr std::size_t label_bytes_max = 64;

bool is_label(std::string_view text) {
    if (text.empty() || text.size() > label_bytes_max) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    });
}

Result<void> check_registration(const State& state, const Asked<RegisterRequest>& asked) {
    const auto& offer = asked.body;
    if (!is_label(offer.host.value) || offer.incarnation.empty()) {
        return fail(ErrorKind::invalid, "a host id is 1 to {} of a-z A-Z 0-9 -, and an incarnation is not empty", label_bytes_max);
    }
    if (offer.slots == 0 || offer.slots > state.policy.slots_per_host_max) {
        return fail(ErrorKind::invalid, "host {} offers {} slots; 1 to {} are possible", offer.host.value, offer.slots,
                    state.policy.slots_per_host_max);
    }
    if (!state.view.pools.contains(offer.pool)) {
        return fail(ErrorKind::not_found, "host {} names pool '{}', which is not configured", offer.host.value, offer.pool.value);
    }
    TRY(check_meeting(state.view, offer));
    TRY(check_home_mark(state, offer));
    if (state.view.is_condemned(offer.instance.empty() ? offer.host.value : offer.instance, offer.incarnation)) {
        return fail(ErrorKind::fenced, "instance {} of host {} was given up as an orphan and is being ended; launch another one", offer.instance, offer.host.value);
    }
    const auto at = state.view.hosts.find(offer.host);
    if (at == state.view.hosts.end()) return {};
    const auto& known = at->second;
    if (known.incarnation == offer.incarnation && known.liveness == Liveness::gone) {
        return fail(ErrorKind::fenced, "the provider confirmed that this life of {} is over", offer.host.value);
    }
    if (known.incarnation != offer.incarnation && !known.idle()) {
        return fail(ErrorKind::conflict, "host {} held {} leases in its life {}; waiting for {} that it ended",
                    offer.host.value, known.slots.size() - known.count(SlotUse::free), known.incarnation.value,
                    known.is_static() ? "an operator to say (berth hosts end " + offer.host.value + " --force)" : "the provider to confirm");
    }
    return {};
}

/// Whose machine it is: its agent's word, else that of who launched it, else its owner's. An agent that
/// starts again without its launch is on the same machine still.
std::string provider_of(const State& state, const RegisterRequest& offer) {
    if (offer.provider) return *offer.provider;
    const auto at = state.view.hosts.find(offer.host);
    const bool same_life = at != state.view.hosts.end() && at->second.incarnation == offer.incarnation;
    if (same_life && at->second.provider && !at->second.is_static()) return *at->second.provider;
    return offer.launch ? state.view.pools.at(offer.pool).provider : std::string{static_provider};
}

bool differs(const HostView& known, const RegisterRequest& offer, const std::string& provider) {
    return known.incarnation != offer.incarnation || known.provider != provider || known.pool != offer.pool || known.instance != offer.instance ||
           known.public_ip != offer.public_ip || known.private_ip != offer.private_ip ||
           known.proxy_port != offer.proxy_port || known.home_mark != offer.home_mark || known.slots.size() < offer.slots;
}

void quarantine(Turn& turn, const HostView& host, std::uint32_t slot, const std::string& text) {
    turn.record(SlotQuarantined{host.host, host.incarnation, slot, text}, text);
}

// A host that can start nothing takes no lease until it says that it can (its text may change each time it tries).
void note_trouble(Turn& turn, const HostView& host, const std::optional<std::string>& trouble) {
    const bool is_in_trouble = trouble && !trouble->empty();
    if (is_in_trouble == host.impaired.has_value()) return;
    const HostRef ref{host.host, host.incarnation};
    if (is_in_trouble) turn.record(HostImpaired{ref, *trouble}, fmt::format("it can start nothing: {}", *trouble));
    else turn.record(HostImpaired{ref, ""}, "it can start environments again");
}

// What its host says of a workspace that runs: another environment than the last, and what its user should know.
void note_run(Turn& turn, const WorkspaceView& workspace, const SlotReport& report) {
    if (workspace.state != WorkspaceState::active || report.phase != SlotPhase::bound || report.workspace != workspace.workspace) return;
    if (!report.container.empty() && report.container != workspace.container) {
        turn.record(WorkspaceRestarted{.workspace = workspace.workspace, .epoch = workspace.epoch, .host = workspace.host, .slot = workspace.slot,
                                       .container = report.container},
                    report.text.empty() ? "its host started another environment for it" : report.text);
    }
    if (report.incident.value_or("") == workspace.incident.value_or("")) return;
    const auto text = report.incident.value_or("");
    turn.record(WorkspaceIncident{workspace.workspace, workspace.epoch, text}, text.empty() ? "that is over" : "its host says so");
}

// Compares one slot's report with the ledger and corrects. The ledger is the truth about who may
// be there; the host is the truth about what is (I10).
void compare(Turn& turn, const HostView& host, const SlotReport& report) {
    const auto& slot = host.slots[report.slot];
    if (report.epoch > slot.epoch) {
        if (slot.use != SlotUse::quarantined) {
            quarantine(turn, host, report.slot, fmt::format("the host saw epoch {}, the ledger knows only {}: was an old ledger restored?",
                                                            report.epoch.value, slot.epoch.value));
        }
        return;
    }
    if (report.phase == SlotPhase::broken) {
        if (slot.use != SlotUse::quarantined) quarantine(turn, host, report.slot, fmt::format("the host could not clean it: {}", report.text));
        return;
    }
    if (slot.use == SlotUse::quarantined && slot.workspace.empty()) {
        if (report.phase == SlotPhase::empty || report.phase == SlotPhase::prepared) {
            turn.record(SlotCleared{host.host, host.incarnation, report.slot}, "the host reports it clean again");
        }
        return;
    }
    if (!slot.workspace.empty() && report.epoch == slot.epoch) {
        note_run(turn, turn.state.view.workspaces.at(slot.workspace), report);
        if (report.workspace == slot.workspace) note_archive(turn, slot.workspace, slot.epoch, report.archive);
    }
    if (slot.workspace.empty() || report.phase != SlotPhase::stopped || report.epoch != slot.epoch || report.workspace != slot.workspace) return;
    const auto id = slot.workspace;
    const auto& workspace = turn.state.view.workspaces.at(id);
    if (!may_be_cleared(workspace)) return;   // its host will say so again, with an archive
    if (workspace.state == WorkspaceState::starting) {
        turn.record(WorkspaceFailed{id, workspace.epoch, host.host, report.slot, report.text},
                    fmt::format("the start on {} failed: {}", host.host.value, report.text));
    } else if (workspace.state == WorkspaceState::active) {
        turn.record(WorkspaceStopping{id, workspace.epoch, host.host, report.slot},
                    fmt::format("the host stopped it: {}", report.text.empty() ? "no reason given" : report.text));
    }
    finish_stop(turn, id, fmt::format("{} reported it stopped and wiped at epoch {}", host.host.value, report.epoch.value));
}

}  // namespace

void ask(Turn& turn, const Asked<RegisterRequest>& asked) {
    const auto& offer = asked.body;
    if (asked.role == Role::host && asked.sender != offer.host.value) {
        return turn.refuse(asked.caller, {ErrorKind::denied, fmt::format("the key of '{}' may not register host '{}'", asked.sender, offer.host.value)});
    }
    if (const auto why = why_doubted(turn, offer.host, offer.term_seen.value_or(Term{}), offer.position_seen)) return turn.refuse(asked.caller, *why);
    if (const auto checked = check_registration(turn.state, asked); !checked) return turn.refuse(asked.caller, checked.error());
    const auto at = turn.state.view.hosts.find(offer.host);
    const auto provider = provider_of(turn.state, offer);
    if (at != turn.state.view.hosts.end() && at->second.incarnation != offer.incarnation) {
        lose_homes(turn, {offer.host, at->second.incarnation}, fmt::format("{} was set up anew", offer.host.value));
    }
    if (at == turn.state.view.hosts.end() || differs(at->second, offer, provider)) {
        turn.record(HostRegistered{.host = offer.host, .incarnation = offer.incarnation, .pool = offer.pool, .launch = offer.launch,
                                   .instance = offer.instance.empty() ? offer.host.value : offer.instance,
                                   .public_ip = offer.public_ip, .private_ip = offer.private_ip,
                                   .proxy_port = offer.proxy_port, .slots = offer.slots, .provider = provider, .home_mark = offer.home_mark},
                    fmt::format("it offers {} slots to pool {}", offer.slots, offer.pool.value), {"version " + offer.version});
    }
    const auto& host = turn.state.view.hosts.at(offer.host);
    keep_pool_of(turn, offer.host);
    drive_ending(turn, offer.host);
    meet(turn, host, offer);
    if (host.liveness == Liveness::unknown) turn.record(HostReturned{{host.host, host.incarnation}}, "it registered again");
    turn.reply(asked.caller, orders_of(turn.state, host));
}

void ask(Turn& turn, const Asked<HostHeartbeat>& asked) {
    const auto& beat = asked.body;
    if (asked.role == Role::host && asked.sender != beat.host.value) {
        return turn.refuse(asked.caller, {ErrorKind::denied, fmt::format("the key of '{}' may not speak for '{}'", asked.sender, beat.host.value)});
    }
    const auto* host = turn.state.view.host_of({beat.host, beat.incarnation});
    if (const auto why = why_doubted(turn, beat.host, beat.term_seen, beat.position_seen)) return turn.refuse(asked.caller, *why);
    if (!host || host->liveness == Liveness::gone || !turn.state.view.has_met(*host)) {
        return turn.refuse(asked.caller, {ErrorKind::not_found, fmt::format("host {} is not registered in this incarnation; register first", beat.host.value)});
    }
    auto& seen = turn.state.seen[beat.host];
    const bool same = seen.beat.incarnation == beat.incarnation && seen.beat.slots == beat.slots && seen.beat.trouble == beat.trouble &&
                      seen.beat.home_trouble == beat.home_trouble && seen.beat.notice == beat.notice;   // as most
    const bool new_notice = seen.beat.notice != beat.notice;
    seen.at = turn.now;
    if (!same) seen.beat = beat;
    seen.beat.term_seen = beat.term_seen;
    seen.beat.load = beat.load;
    seen.beat.position_seen = beat.position_seen;
    if (host->liveness == Liveness::unknown) turn.record(HostReturned{{host->host, host->incarnation}}, "its heartbeat was heard again");
    note_trouble(turn, *host, beat.trouble);
    if (new_notice) note_notice(turn, *host, beat.notice);
    for (const auto& report : beat.slots) {
        if (report.slot >= host->slots.size()) continue;
        compare(turn, *host, report);
        note_restoring(turn, report);
    }
    if (!same) refresh_rank(turn.state, beat.host);
    turn.reply(asked.caller, orders_of(turn.state, *host));
}

void ask(Turn& turn, const Asked<UnknownRequest>& asked) {
    const auto* host = turn.state.view.host_of(asked.body.host);
    if (!host) return turn.refuse(asked.caller, {ErrorKind::not_found, fmt::format("no host {} in that incarnation", asked.body.host.host.value)});
    if (host->liveness != Liveness::live) return turn.reply(asked.caller, turn.done(0));
    const auto seen = turn.state.seen.find(host->host);
    const auto silence = turn.state.policy.heartbeat * 2;
    if (seen != turn.state.seen.end() && seen->second.at + silence > turn.now) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("host {} was heard {} ago", host->host.value, about(turn.now - seen->second.at))});
    }
    turn.record(HostUnknown{asked.body.host, asked.body.last_heartbeat_at}, "silent for over two heartbeat periods",
                {fmt::format("last heartbeat {}", to_rfc3339(asked.body.last_heartbeat_at))});
    turn.reply(asked.caller, turn.done(1));
}

void end_leases_of_gone(Turn& turn, const HostView& host) {
    lose_homes(turn, {host.host, host.incarnation}, fmt::format("{} is gone", host.host.value));
    const auto slots = host.slots;  // a copy: each stop changes them
    for (std::uint32_t index = 0; index < slots.size(); ++index) {
        const auto id = slots[index].workspace;
        if (id.empty()) continue;
        const auto& workspace = turn.state.view.workspaces.at(id);
        if (workspace.state == WorkspaceState::starting) {
            turn.record(WorkspaceFailed{id, workspace.epoch, host.host, index, "its host is gone"}, "its host is gone");
        } else if (workspace.state == WorkspaceState::active) {
            turn.record(WorkspaceStopping{id, workspace.epoch, host.host, index}, "its host is gone");
        }
        finish_stop(turn, id, "the provider confirmed that its host is gone");
    }
}

void ask(Turn& turn, const Asked<GoneRequest>& asked) {
    const auto* host = turn.state.view.host_of(asked.body.host);
    if (!host) return turn.refuse(asked.caller, {ErrorKind::not_found, fmt::format("no host {} in that incarnation", asked.body.host.host.value)});
    if (host->liveness == Liveness::gone) return turn.reply(asked.caller, turn.done(0));
    turn.record(HostGone{asked.body.host}, "the provider confirmed that this incarnation ended", {asked.body.evidence});
    end_leases_of_gone(turn, *host);
    turn.state.seen.erase(host->host);
    turn.reply(asked.caller, turn.done(1));
}

// Who is an orphan is the ledger's to say: a registration and this exclude each other by its order (I13, I16).
void ask(Turn& turn, const Asked<CondemnRequest>& asked) {
    const auto& [instance, incarnation, launch, evidence] = asked.body;
    const auto& view = turn.state.view;
    if (view.doubted_by) {
        return turn.refuse(asked.caller, {ErrorKind::unavailable, fmt::format("the ledger is an old copy: {} may be a host of its lost part", instance)});
    }
    const auto is_on_it = [&](const auto& entry) {
        const auto& host = entry.second;
        return instance_of(host) == instance && (incarnation.empty() || host.incarnation == incarnation) && host.liveness != Liveness::gone;
    };
    const bool known = std::any_of(view.hosts.begin(), view.hosts.end(), is_on_it);
    if (known || (launch && view.launches.contains(*launch))) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("instance {} is accounted for by the ledger", instance)});
    }
    if (!view.is_condemned(instance, incarnation)) {
        turn.record(InstanceCondemned{instance, incarnation}, "no host and no launch of this ledger account for it", evidence);
    }
    turn.reply(asked.caller, turn.done(1));
}

}  // namespace berth::allocator
