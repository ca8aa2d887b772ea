// SPDX-License-Identifier: Apache-2.0
// The intent to stop an idle workspace, seen from the host: at its deadline the host looks once more
// itself, and stops only when every signal is known and quiet since then (I32).
#include <fmt/format.h>

#include "hostagent/turn.hpp"

namespace berth::hostagent {

namespace {

void forget_intent(Turn& turn, Slot& slot) {
    slot.idle.reset();
    show_notice(turn, slot);
}

}  // namespace

void hear(Turn& turn, const IdleIntended& heard) {
    const auto& intent = heard.intent;
    if (intent.host != turn.state.setup.host || intent.slot >= turn.state.slots.size()) return;
    auto& slot = turn.state.slots[intent.slot];
    const auto& record = slot.record;
    if (record.phase != SlotPhase::bound || record.epoch != intent.epoch || record.workspace != intent.workspace) return;
    if (intent.withdrawn.value_or(false)) {
        if (!slot.idle || slot.idle->reading || slot.idle->intent.stop_at != intent.stop_at) return;
        forget_intent(turn, slot);
        return turn.note(Severity::info, "slot.idle_withdrawn", slot, "the reaper takes its intent back");
    }
    if (intent.last_use > turn.now) return;   // what was not seen yet can not have been quiet
    if (slot.idle && (slot.idle->reading || slot.idle->intent == intent)) return;
    slot.idle = IdleWatch{intent, false};
    show_notice(turn, slot);
    turn.note(Severity::info, "slot.idle_intended", slot, fmt::format("stops at {}", to_rfc3339(intent.stop_at)));
    look_when_due(turn, slot);
}

void look_when_due(Turn& turn, Slot& slot) {
    if (!slot.idle || slot.idle->reading || turn.now < slot.idle->intent.stop_at) return;
    slot.idle->reading = true;
    turn.operate(ReadActivity{slot.record});
}

void hear(Turn& turn, const ActivityRead& heard) {
    auto& slot = turn.state.slots.at(heard.slot);
    if (!slot.idle || !slot.idle->reading || heard.epoch != slot.record.epoch) return;
    const auto intent = slot.idle->intent;
    forget_intent(turn, slot);
    if (slot.record.phase != SlotPhase::bound) return;
    auto signals = heard.signals;
    add_hold(signals, slot.record, turn.now);
    const auto counting = counted(signals, intent.rule());
    std::string against = counting.empty() ? " no signal" : "";
    for (const auto& signal : counting) {
        if (signal.last_at && *signal.last_at <= intent.last_use) continue;   // one clock: ours
        against += fmt::format(" {} at {}", signal.name, signal.last_at ? to_rfc3339(*signal.last_at) : "an unknown time");
        if (signal.text) against += fmt::format(" ({})", turn.cut(*signal.text));
    }
    if (against.empty()) return stop(turn, slot, fmt::format("idle: every signal quiet since {}", to_rfc3339(intent.quiet_since)));
    turn.out.objections.push_back({turn.state.setup.host, slot.record.workspace, slot.record.epoch, std::move(signals)});
    turn.note(Severity::info, "slot.objected", slot, fmt::format("its last use was said to be at {}, but:{}", to_rfc3339(intent.last_use), against));
}

}  // namespace berth::hostagent
