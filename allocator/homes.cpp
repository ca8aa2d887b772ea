// SPDX-License-Identifier: Apache-2.0
// Homes (docs/homes.md): what hosts are told about them, which archive counts, and what is lost with a host;
// and hosts that leave at a time that is known before.
#include <fmt/format.h>

#include <algorithm>

#include "allocator/turn.hpp"
#include "base/about.hpp"

namespace berth::allocator {

namespace {

HostRef ref_of(const HostView& host) { return {host.host, host.incarnation}; }

bool is_archived(const WorkspaceView& workspace) { return workspace.home_place == HomePlace::archive; }

bool has_last_archive(const WorkspaceView& workspace) {
    return workspace.archive && workspace.archive->epoch == workspace.epoch && workspace.archive->last;
}

std::string amount(std::uint64_t bytes) {
    return bytes < 1'000'000'000 ? fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6) : fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

const SlotReport* report_of(const State& state, const WorkspaceView& workspace) {
    const auto at = state.seen.find(workspace.host);
    if (at == state.seen.end() || at->second.beat.incarnation != workspace.incarnation) return nullptr;
    const auto& slots = at->second.beat.slots;
    const auto found = std::find_if(slots.begin(), slots.end(), [&](const SlotReport& report) { return report.slot == workspace.slot; });
    return found == slots.end() || found->epoch != workspace.epoch || found->workspace != workspace.workspace ? nullptr : &*found;
}

}  // namespace

// ---- what hosts are told

std::optional<HomeRule> home_rule_of(const State& state, const PoolName& pool) {
    const auto at = state.view.pools.find(pool);
    if (at == state.view.pools.end() || !at->second.home_place) return std::nullopt;
    return at->second.home_rule();
}

std::optional<HomeOrder> home_order_of(const State& state, const WorkspaceView& workspace) {
    if (!is_archived(workspace)) return std::nullopt;
    HomeOrder order{.rule = home_rule_of(state, workspace.pool).value_or(HomeRule{}), .archive = workspace.archive};
    order.rule.place = HomePlace::archive;      // a lease ends as it began, whatever its pool says now
    if (const auto at = state.save_wanted.find(workspace.workspace); at != state.save_wanted.end()) order.save_after = at->second;
    if (workspace.state == WorkspaceState::destroying) order.discard = true;
    return order;
}

std::optional<HostId> home_pin(const State& state, const WorkspaceView& workspace, const PoolName& pool) {
    if (!workspace.home_on) return std::nullopt;
    const auto rule = home_rule_of(state, pool);
    const bool stays = rule && (rule->place == HomePlace::host || (rule->place == HomePlace::archive && !workspace.archive));
    return stays ? std::optional{workspace.home_on->host} : std::nullopt;
}

// ---- what they say

void note_archive(Turn& turn, const WorkspaceId& id, Epoch epoch, const std::optional<HomeArchive>& archive) {
    const auto& workspace = turn.state.view.workspaces.at(id);
    if (!archive || !workspace.leased || workspace.epoch != epoch || archive->epoch != epoch || workspace.archive == archive) return;
    // The last one is later than all others, whatever its host's clock did; of the others each begins later, and what comes twice
    // or late is older.
    const auto& known = workspace.archive;
    if (known && known->epoch == epoch && (known->last || (!archive->last && known->at >= archive->at))) return;
    const auto wanted = turn.state.save_wanted.find(id);
    if (wanted != turn.state.save_wanted.end() && (archive->last || archive->at >= wanted->second)) turn.state.save_wanted.erase(wanted);
    turn.record(HomeArchived{.workspace = id, .epoch = epoch, .host = workspace.host, .archive = *archive},
                fmt::format("{} saved {} of {}", workspace.host.value, amount(archive->bytes), archive->last ? "it after its end" : "it while it ran"),
                {fmt::format("snapshot {}", archive->snapshot.substr(0, 16))});
}

bool may_be_cleared(const WorkspaceView& workspace) {
    const bool was_given = !workspace.container.empty();
    return !is_archived(workspace) || !was_given || workspace.state == WorkspaceState::destroying || has_last_archive(workspace);
}

std::optional<Instant> restoring_until(const State& state, const WorkspaceView& workspace) {
    if (!is_archived(workspace) || !workspace.archive) return std::nullopt;
    const auto most = workspace.granted_at + state.policy.restore_deadline;
    const auto seen = state.restoring.find(workspace.workspace);
    const auto from = seen == state.restoring.end() ? std::max(workspace.granted_at, state.began_at) : seen->second;
    return std::min(most, from + state.policy.start_deadline);
}

void note_restoring(Turn& turn, const SlotReport& report) {
    if (!report.home || report.home->step != HomeStep::restoring) return;
    const auto at = turn.state.view.workspaces.find(report.workspace);
    if (at == turn.state.view.workspaces.end() || at->second.state != WorkspaceState::starting || at->second.epoch != report.epoch) return;
    const auto& workspace = at->second;
    turn.state.restoring[workspace.workspace] = turn.now;
    const auto until = restoring_until(turn.state, workspace);    // none when there is nothing to bring back
    if (until && turn.state.due_at.contains(workspace.workspace)) schedule(turn.state, workspace.workspace, *until);
    const auto group = turn.state.followers.find({workspace.user, workspace.project});
    if (group == turn.state.followers.end()) return;
    const auto& home = *report.home;
    auto phase = fmt::format("bringing its files to {}: {} of {}, {}/s", workspace.host.value, amount(home.bytes), amount(home.bytes_total), amount(home.bytes_per_s));
    if (!home.text.empty()) phase += "; " + home.text;
    std::uint32_t told = 0;
    for (const auto& claim : group->second) {
        if (++told > turn.state.policy.progress_claims_max) break;
        const auto& asked = turn.state.view.claims.at(claim).asked;
        turn.out.progress.push_back({.claim = claim, .key = asked.key, .state = ClaimState::starting, .phase = phase, .since = asked.accepted_at});
    }
}

std::string why_not_stopped(const State& state, const WorkspaceView& workspace) {
    const auto* report = report_of(state, workspace);
    if (report == nullptr || !report->home || report->home->step != HomeStep::saving) return {};
    const auto& home = *report->home;
    auto text = fmt::format("its files are being saved: {} of {}, {}/s", amount(home.bytes), amount(home.bytes_total), amount(home.bytes_per_s));
    if (!home.text.empty()) text += "; " + home.text;
    return text;
}

Result<void> check_home_mark(const State& state, const RegisterRequest& offer) {
    const auto rule = home_rule_of(state, offer.pool);
    if (!rule || rule->place != HomePlace::shared) return {};
    if (!offer.home_mark) {
        return fail(ErrorKind::conflict, "host {} can not read or write its folder of homes, which pool '{}' shares: mount it there", offer.host.value, offer.pool.value);
    }
    for (const auto& [id, host] : state.view.hosts) {
        if (id == offer.host || host.pool != offer.pool || host.liveness == Liveness::gone || !host.home_mark || host.home_mark == offer.home_mark) continue;
        return fail(ErrorKind::conflict, "the folder of homes of host {} is not the one of host {}, though pool '{}' says home_place = \"shared\": mount the same folder on both "
                    "(their file .berth-homes would be the same), or let homes be archived (docs/homes.md)", offer.host.value, id.value, offer.pool.value);
    }
    return {};
}

// ---- what is lost with a host

void lose_homes(Turn& turn, const HostRef& life, const std::string& how) {
    std::vector<WorkspaceId> lost;
    for (const auto& [id, workspace] : turn.state.view.workspaces) {
        const bool stayed = workspace.home_on == life && workspace.state != WorkspaceState::destroyed && !workspace.archive;
        const bool unsaved = is_archived(workspace) && workspace.leased && workspace.host == life.host && workspace.incarnation == life.incarnation &&
                             !may_be_cleared(workspace);
        if (stayed || unsaved) lost.push_back(id);
    }
    for (const auto& id : lost) {
        const auto& workspace = turn.state.view.workspaces.at(id);
        const auto& archive = workspace.archive;
        auto why = archive ? fmt::format("{}, and what was written to its files after {} is gone with it; the next start brings them back as they were then",
                                         how, to_rfc3339(archive->at))
                           : fmt::format("{}, and its files with it: there is no archive of them", how);
        turn.record(HomeLost{.workspace = id, .epoch = workspace.epoch, .host = life.host, .archive = archive}, std::move(why));
    }
}

// ---- what people ask

void ask(Turn& turn, const Asked<SaveHomeRequest>& asked) {
    const auto found = resolve_or_refuse(turn, asked);
    std::uint32_t count = 0;
    for (const auto& id : found) {
        const auto& workspace = turn.state.view.workspaces.at(id);
        if (!is_archived(workspace)) {
            return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("the files of {} are not archived: its pool '{}' has another home_place", id.value, workspace.pool.value)});
        }
        if (workspace.state != WorkspaceState::active) continue;
        turn.state.save_wanted[id] = turn.now;
        ++count;
    }
    if (!found.empty()) turn.reply(asked.caller, turn.done(count));
}

void ask(Turn& turn, const Asked<ChooseHomeRequest>& asked) {
    const auto found = resolve_or_refuse(turn, asked);
    if (found.empty()) return;
    const auto& workspace = turn.state.view.workspaces.at(found.front());
    const auto refuse = [&](std::string text) { turn.refuse(asked.caller, {ErrorKind::conflict, std::move(text)}); };
    if (found.size() > 1) return refuse(fmt::format("{} workspaces match; name one", found.size()));
    if (!is_archived(workspace)) return refuse(fmt::format("the files of {} are not archived: its pool '{}' has another home_place", workspace.workspace.value, workspace.pool.value));
    if (workspace.leased || workspace.state != WorkspaceState::stopped) {
        return refuse(fmt::format("{} is {}; stop it first: berth stop {}", workspace.workspace.value, to_string(workspace.state), workspace.workspace.value));
    }
    turn.record(HomeChosen{workspace.workspace, asked.body.archive},
                asked.body.why.empty() ? fmt::format("{} wants its files as they were at {}", turn.actor, to_rfc3339(asked.body.archive.at)) : asked.body.why);
    turn.reply(asked.caller, turn.done(1));
}

// ---- hosts that leave

void note_leaving(State& state, const HostId& id) {
    const auto& host = state.view.hosts.at(id);
    if (host.leaving && host.liveness != Liveness::gone) state.leaving.insert(id);
    else state.leaving.erase(id);
}

void leave(Turn& turn, const HostView& host, Instant by, const std::string& why) {
    const auto ref = ref_of(host);
    if (host.admission == Admission::open) turn.record(HostCordoned{ref}, why);
    if (!host.leaving || host.leaving->by != by) turn.record(HostLeaving{ref, by}, why);
}

void note_notice(Turn& turn, const HostView& host, const std::optional<EndNotice>& notice) {
    if (!notice || host.admission == Admission::draining) return;
    const auto& policy = turn.state.policy;
    const auto by = notice->ends_at ? std::max(turn.now, *notice->ends_at - policy.notice_margin) : turn.now + policy.notice_grace;
    if (host.leaving && host.leaving->by <= by) return;
    const auto when = notice->ends_at ? " at " + to_rfc3339(*notice->ends_at) : std::string{};
    leave(turn, host, by, fmt::format("{} will end{}: {}", host.host.value, when, notice->text));
}

void empty_who_leave(Turn& turn) {
    const auto leaving = turn.state.leaving;      // a copy: facts change it
    for (const auto& id : leaving) {
        const auto& host = turn.state.view.hosts.at(id);
        if (turn.now < host.leaving->by || turn.state.view.is_unsure_of(host)) continue;
        stop_workspaces(turn, host, fmt::format("its host is emptied by {}: {}", to_rfc3339(host.leaving->by), host.leaving->why));
    }
}

}  // namespace berth::allocator
