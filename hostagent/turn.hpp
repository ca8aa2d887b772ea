// SPDX-License-Identifier: Apache-2.0
// One step under way: the state, the instant, and what has been decided so far. Internal to the core.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "hostagent/step.hpp"

namespace berth::hostagent {

struct Turn {
    State& state;
    Instant now;
    Decisions out;

    template <class Record>
    void persist(const Record& what) { out.persists.emplace_back(std::in_place_type<Record>, what); }
    void operate(Operation what) { out.operations.push_back(std::move(what)); }
    void reply(CallerId caller, ReplyBody body) { out.replies.push_back({caller, std::move(body)}); }
    void refuse(CallerId caller, Error error) { out.replies.push_back({caller, fail(std::move(error))}); }
    void note(Severity severity, std::string event, const Slot& slot, std::string text) {
        out.notes.push_back({severity, std::move(event), slot.record.slot, slot.record.workspace, std::move(text)});
    }
    /// The record is durable before anything else happens, and the allocator hears of it at once.
    void save(Slot& slot) {
        slot.changed = ++state.changes;
        persist(slot.record);
        out.beat = true;
    }
    std::string cut(const std::string& text) const { return text.substr(0, state.policy.text_bytes_max); }
};

// ---- slots.cpp: a slot's life

/// Does what the slot needs next, if nothing is under way on it.
void drive(Turn& turn, Slot& slot);
/// Takes the lease of `order`, newer than any before, onto the slot.
void accept(Turn& turn, Slot& slot, const LeaseOrder& order);
/// Ends the lease on the slot: access first, then the container.
void stop(Turn& turn, Slot& slot, std::string why);
/// The container is gone though nobody asked for it.
void container_ended(Turn& turn, Slot& slot, std::string how);
void keep_standbys(Turn& turn);
/// Nothing can be started here now, and nothing is prepared: the allocator should place nothing.
bool is_in_trouble(const State& state);
/// The editor's windows show how things stand with this slot now.
void show_notice(Turn& turn, const Slot& slot);
Error ended_error(const Slot& slot);
BindDone bound_reply(const Setup& setup, const SlotRecord& record);
RouteRecord route_of(const Setup& setup, const SlotRecord& record, Instant confirmed_at);

void hear(Turn& turn, const Prepared& heard);
void hear(Turn& turn, const PortTaken& heard);
void hear(Turn& turn, const Bound& heard);
void hear(Turn& turn, const Removed& heard);

// ---- orders.cpp: what the allocator says

/// Why a message of this term is not obeyed, which was counted; or nothing.
std::optional<Error> why_not_term(Turn& turn, Term term);
void hear(Turn& turn, const OrdersHeard& heard);
void hear(Turn& turn, const Asked<BindCommand>& asked);
void hear(Turn& turn, const Asked<StopCommand>& asked);
void hear(Turn& turn, const Asked<LinkCommand>& asked);
void hear(Turn& turn, const Asked<EraseCommand>& asked);
void hear(Turn& turn, const Asked<SealCommand>& asked);
void hear(Turn& turn, const Erased& heard);

// ---- homes.cpp: homes that have an archive

bool is_archived(const SlotRecord& record);
/// Something was written, and no archive has all of it.
bool holds_unsaved(const SlotRecord& record);
bool is_home_here(const Slot& slot);      // an environment may get it
bool is_home_away(const Slot& slot);      // nothing of it is left to save or to remove
/// Of a new lease.
void take_home(Slot& slot, const std::optional<HomeOrder>& order);
/// The next thing about its home, if there is one to do now.
void drive_home(Turn& turn, Slot& slot);
void home_was_bound(Turn& turn, Slot& slot);
std::optional<HomeProgress> home_progress(const Slot& slot);
void check_homes_when_due(Turn& turn);
void hear_homes(Turn& turn, const HostOrders& orders);
void hear(Turn& turn, const HomeRestored& heard);
void hear(Turn& turn, const HomeSaved& heard);
void hear(Turn& turn, const HomeMoved& heard);
void hear(Turn& turn, const HomeDropped& heard);
void hear(Turn& turn, const HomesChecked& heard);
void hear(Turn& turn, const EndNoticed& heard);

// ---- inventory.cpp: what is really there

void hear(Turn& turn, const Recovered& heard);
void hear(Turn& turn, const Listed& heard);
void list_when_due(Turn& turn);

// ---- idle.cpp: the intent to stop

void hear(Turn& turn, const IdleIntended& heard);
void hear(Turn& turn, const ActivityRead& heard);
void look_when_due(Turn& turn, Slot& slot);

}  // namespace berth::hostagent
