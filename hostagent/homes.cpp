// SPDX-License-Identifier: Apache-2.0
// Homes that have an archive (docs/homes.md): brought back before an environment gets them, saved while it runs
// and after it ended, put away once their last archive is confirmed. Only then is the slot `stopped`.
//
//   away ─► here ─► used ─► kept ─► away
//     restored  bound   saved   put away            (here ─► away: nothing ever wrote)
#include <fmt/format.h>

#include <algorithm>

#include "hostagent/turn.hpp"

namespace berth::hostagent {

namespace {

std::string home_of(const State& state, const SlotRecord& record) { return state.setup.homes + "/" + record.workspace.value; }

std::string size_text(std::uint64_t bytes) {
    if (bytes < 10'000'000) return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
    return fmt::format("{} MB", bytes / 1'000'000);
}

Duration pause_after(const Policy& policy, std::uint32_t failures) {
    return std::min(policy.home_retry * (std::int64_t{1} << std::min(failures - 1, 10U)), policy.home_retry_max);
}

/// It is not time yet. A time that is further ahead than it was ever set is by a clock that has jumped since.
bool is_ahead(Instant time, Instant now, Duration most) { return time > now && time - now <= most; }

void begin(Turn& turn, Slot& slot, HomeJob job) {
    slot.home.job = job;
    slot.home.began_at = turn.now;
    slot.home.bytes = slot.home.bytes_total = slot.home.bytes_per_s = 0;
}

void restore(Turn& turn, Slot& slot) {
    const auto& record = slot.record;
    begin(turn, slot, HomeJob::restoring);
    turn.operate(RestoreOrder{.slot = record.slot, .workspace = record.workspace, .epoch = record.epoch, .home = home_of(turn.state, record),
                              .rule = record.home->rule, .archive = record.home->archive});
}

void save(Turn& turn, Slot& slot, bool last) {
    const auto& record = slot.record;
    begin(turn, slot, HomeJob::saving);
    slot.home.last = last;
    const auto& before = record.archive ? record.archive : record.home->archive;
    turn.operate(SaveOrder{.slot = record.slot, .workspace = record.workspace, .epoch = record.epoch, .home = home_of(turn.state, record),
                           .rule = record.home->rule, .parent = before ? before->snapshot : std::string{}, .last = last});
}

void put_away(Turn& turn, Slot& slot) {
    const auto& record = slot.record;
    begin(turn, slot, HomeJob::dropping);
    turn.operate(DropOrder{.slot = record.slot, .workspace = record.workspace, .epoch = record.epoch, .home = home_of(turn.state, record)});
}

bool is_due(const Slot& slot, Instant now) {
    const auto& order = *slot.record.home;
    const auto& newest = slot.record.archive;
    if (order.save_after && (!newest || newest->at < *order.save_after)) return true;
    return order.rule.save_every_ms > Duration{0} && !is_ahead(slot.home.save_at, now, order.rule.save_every_ms);
}

/// The slot whose job this answers, or null: it went on meanwhile.
Slot* find_job(Turn& turn, std::uint32_t number, HomeJob job, const WorkspaceId& workspace, Epoch epoch) {
    if (number >= turn.state.slots.size()) return nullptr;
    auto& slot = turn.state.slots[number];
    const bool is_it = slot.home.job == job && slot.record.workspace == workspace && slot.record.epoch == epoch;
    return is_it ? &slot : nullptr;
}

void job_failed(Turn& turn, Slot& slot, std::string event, const std::string& what, const Error& error) {
    auto& home = slot.home;
    ++home.failures;
    home.text = turn.cut(fmt::format("{}: {}", what, error.text));
    home.not_before = turn.now + pause_after(turn.state.policy, home.failures);
    turn.note(Severity::warning, std::move(event), slot, home.text);
    turn.out.beat = true;
}

void job_done(Slot& slot) {
    slot.home.job = HomeJob::none;
    slot.home.failures = 0;
    slot.home.text.clear();
}

void set_trouble(Turn& turn, std::string text) {
    if (turn.state.home_trouble == text) return;
    turn.state.home_trouble = std::move(text);
    turn.out.beat = true;
}

// What concerns one home alone keeps no other from starting; whether it is the repository, a check tells.
void suspect(Turn& turn, const Error& error) {
    turn.state.check_homes_at = turn.now;
    if (error.kind == ErrorKind::no_capacity) set_trouble(turn, turn.cut(error.text));
}

}  // namespace

bool is_archived(const SlotRecord& record) { return record.home && record.home->rule.place == HomePlace::archive; }

bool holds_unsaved(const SlotRecord& record) {
    return is_archived(record) && record.home_stand == HomeStand::used && !record.home->discard.value_or(false);
}

bool is_home_here(const Slot& slot) {
    if (!is_archived(slot.record)) return true;
    return slot.record.home_stand == HomeStand::here || slot.record.home_stand == HomeStand::used;
}

bool is_home_away(const Slot& slot) {
    return !is_archived(slot.record) || (slot.record.home_stand == HomeStand::away && slot.home.job == HomeJob::none);
}

void take_home(Slot& slot, const std::optional<HomeOrder>& order) {
    auto& record = slot.record;
    record.home = order;
    record.archive.reset();
    record.home_stand.reset();
    slot.home = {};
    if (is_archived(record)) record.home_stand = HomeStand::away;
}

void drive_home(Turn& turn, Slot& slot) {
    const auto& record = slot.record;
    auto& home = slot.home;
    if (!is_archived(record) || home.job != HomeJob::none || is_ahead(home.not_before, turn.now, turn.state.policy.home_retry_max)) return;
    const auto stand = record.home_stand.value_or(HomeStand::away);
    if (record.phase == SlotPhase::binding && stand == HomeStand::away && slot.order == Order::running) return restore(turn, slot);
    if (record.phase == SlotPhase::bound && stand == HomeStand::used && is_due(slot, turn.now)) return save(turn, slot, false);
    const bool may_be_written = slot.work != Work::none || slot.use != ContainerUse::none;
    if (record.phase != SlotPhase::stopping || may_be_written || stand == HomeStand::away) return;
    if (holds_unsaved(record)) return save(turn, slot, true);
    put_away(turn, slot);
}

void home_was_bound(Turn& turn, Slot& slot) {
    slot.home.save_at = turn.now + (slot.record.home ? slot.record.home->rule.save_every_ms : Duration{0});
}

std::optional<HomeProgress> home_progress(const Slot& slot) {
    const auto& home = slot.home;
    const bool restores = slot.record.phase == SlotPhase::binding;
    if (home.job == HomeJob::dropping || (home.job == HomeJob::none && home.failures == 0)) return std::nullopt;
    return HomeProgress{.step = restores ? HomeStep::restoring : HomeStep::saving, .since = home.began_at, .bytes = home.bytes,
                        .bytes_total = home.bytes_total, .bytes_per_s = home.bytes_per_s, .failures = home.failures, .text = home.text};
}

void check_homes_when_due(Turn& turn) {
    auto& state = turn.state;
    const auto longest = std::max(state.policy.home_check_every, state.policy.home_retry_max);
    if (!state.homes || state.homes->place != HomePlace::archive || state.checking_homes || is_ahead(state.check_homes_at, turn.now, longest)) return;
    state.checking_homes = true;
    turn.operate(CheckHomesOrder{*state.homes});
}

void hear_homes(Turn& turn, const HostOrders& orders) {
    auto& state = turn.state;
    if (orders.homes != state.homes) {
        state.homes = orders.homes;
        state.check_homes_at = turn.now;
        if (!orders.homes || orders.homes->place != HomePlace::archive) set_trouble(turn, "");
    }
    check_homes_when_due(turn);
    if (orders.leaving == state.leaving) return;
    state.leaving = orders.leaving;
    for (const auto& slot : state.slots) {
        if (slot.record.phase == SlotPhase::bound) show_notice(turn, slot);
    }
}

// ---- what became of it

void hear(Turn& turn, const HomesChecked& heard) {
    auto& state = turn.state;
    state.checking_homes = false;
    state.check_homes_at = turn.now + (heard.outcome ? state.policy.home_check_every : state.policy.home_retry_max);
    const bool one_fails = std::any_of(state.slots.begin(), state.slots.end(), [](const Slot& slot) { return slot.home.failures > 0; });
    if (heard.outcome && one_fails && !state.home_trouble.empty()) return;    // only a save shows that there is room again
    if (!heard.outcome && state.home_trouble.empty()) turn.out.notes.push_back({Severity::warning, "homes.in_trouble", 0, {}, turn.cut(heard.outcome.error().text)});
    set_trouble(turn, heard.outcome ? "" : turn.cut(heard.outcome.error().text));
}

void hear(Turn& turn, const HomeRestored& heard) {
    auto* slot = find_job(turn, heard.slot, HomeJob::restoring, heard.workspace, heard.epoch);
    if (slot == nullptr) return;
    if (heard.outcome) {
        const auto bytes = slot->record.home->archive ? slot->record.home->archive->bytes : 0;
        turn.note(Severity::info, "home.restored", *slot, fmt::format("{} in {}", size_text(bytes), to_text(turn.now - slot->home.began_at)));
        job_done(*slot);
        slot->record.home_stand = HomeStand::here;
        turn.save(*slot);
        set_trouble(turn, "");
        return drive(turn, *slot);
    }
    slot->home.job = HomeJob::none;
    job_failed(turn, *slot, "home.not_restored", "its files could not be brought back", heard.outcome.error());
    suspect(turn, heard.outcome.error());
    if (slot->record.phase == SlotPhase::binding && slot->home.failures >= turn.state.policy.home_restore_tries_max) {
        const auto why = fmt::format("the start failed: {}", slot->home.text);
        job_done(*slot);
        return stop(turn, *slot, why);
    }
    drive(turn, *slot);
}

void hear(Turn& turn, const HomeSaved& heard) {
    auto* slot = find_job(turn, heard.slot, HomeJob::saving, heard.workspace, heard.epoch);
    if (slot == nullptr) return;
    slot->home.job = HomeJob::none;
    slot->home.save_at = turn.now + slot->record.home->rule.save_every_ms;
    if (heard.outcome) {
        const auto& kept = *heard.outcome;
        turn.note(Severity::info, "home.archived", *slot,
                  fmt::format("{} of {} in {}, snapshot {}", slot->home.last ? "the last" : "one", size_text(kept.bytes),
                              to_text(turn.now - slot->home.began_at), kept.snapshot.substr(0, 8)));
        job_done(*slot);
        slot->record.archive = HomeArchive{.epoch = slot->record.epoch, .host = turn.state.setup.host, .snapshot = kept.snapshot,
                                           .at = slot->home.began_at, .bytes = kept.bytes, .last = slot->home.last};
        if (slot->home.last) slot->record.home_stand = HomeStand::kept;
        turn.save(*slot);
        set_trouble(turn, "");
        return drive(turn, *slot);
    }
    job_failed(turn, *slot, "home.not_archived", "its files could not be saved", heard.outcome.error());
    suspect(turn, heard.outcome.error());
    drive(turn, *slot);
}

void hear(Turn& turn, const HomeMoved& heard) {
    if (heard.slot >= turn.state.slots.size()) return;
    auto& slot = turn.state.slots[heard.slot];
    if (slot.home.job == HomeJob::none || slot.record.epoch != heard.epoch) return;
    slot.home.bytes = heard.bytes;
    slot.home.bytes_total = heard.bytes_total;
    const auto took = turn.now - slot.home.began_at;
    slot.home.bytes_per_s = took > Duration{0} ? heard.bytes * 1'000 / static_cast<std::uint64_t>(took.count()) : 0;
    turn.out.beat = true;
}

// What could not be taken away is put aside by the next restore: it never hinders the slot for long.
void hear(Turn& turn, const HomeDropped& heard) {
    auto* slot = find_job(turn, heard.slot, HomeJob::dropping, heard.workspace, heard.epoch);
    if (slot == nullptr) return;
    slot->home.job = HomeJob::none;
    if (!heard.outcome) job_failed(turn, *slot, "home.not_dropped", "its copy here could not be removed", heard.outcome.error());
    if (!heard.outcome && slot->home.failures < turn.state.policy.home_restore_tries_max) return;
    job_done(*slot);
    slot->record.home_stand = HomeStand::away;
    turn.persist(slot->record);
    drive(turn, *slot);
}

void hear(Turn& turn, const EndNoticed& heard) {
    if (turn.state.notice == heard.notice) return;
    turn.state.notice = heard.notice;
    turn.out.notes.push_back({Severity::warning, heard.notice ? "host.end_notice" : "host.end_notice_withdrawn", 0, {}, heard.notice ? turn.cut(heard.notice->text) : ""});
    turn.out.beat = true;
}

}  // namespace berth::hostagent
