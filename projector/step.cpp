// SPDX-License-Identifier: Apache-2.0
#include "projector/step.hpp"

#include <algorithm>

namespace berth::projector {

namespace {

constexpr int renewals_per_lifetime = 3;

PlaceState& place_of(State& state, PlaceKind kind) {
    return *std::find_if(state.places.begin(), state.places.end(), [&](const auto& place) { return place.kind == kind; });
}

Picture wanted_at(const State& state, PlaceKind kind) {
    return kind == PlaceKind::redis ? redis_picture(*state.view, state.loads) : pool_picture(*state.view, state.loads);
}

void note_change(State& state, Instant now) {
    for (auto& place : state.places) {
        if (!place.changed_at) place.changed_at = now;
    }
}

void tell(Decisions& decisions, const PlaceState& place, LogLevel level, std::string event, std::string why) {
    decisions.lines.push_back({level, std::move(event), std::string{to_string(place.kind)}, std::move(why)});
}

void failed(PlaceState& place, const Policy& policy, const Error& error, Instant now, Decisions& decisions) {
    if (place.leaving && place.leaving->since) place.changed_at = place.leaving->since;
    place.shown.reset();
    place.leaving.reset();
    ++place.failures;
    place.pause = place.pause.count() == 0 ? policy.retry : std::min(place.pause * 2, policy.retry_max);
    place.not_before = now + place.pause;
    tell(decisions, place, LogLevel::warn, "picture.not_written", error.text);
}

/// So many changes may be written now.
std::size_t room_of(PlaceState& place, const Policy& policy, Instant now) {
    if (place.kind != PlaceKind::dynamodb) return policy.changes_max;
    const double per_s = policy.dynamodb_changes_per_s;
    const double gained = std::max(0.0, static_cast<double>((now - place.room_at).count()) / 1'000 * per_s);
    place.room = std::min(std::max(per_s, 1.0), place.room + gained);
    place.room_at = now;
    return std::min<std::size_t>(policy.changes_max, static_cast<std::size_t>(place.room));
}

/// Keys whose entries differ, beginning after the last one that was written, so that each has its turn.
std::vector<std::string> differing(const Picture& shown, const Picture& wanted, const std::string& last_key) {
    std::vector<std::string> keys;
    for (const auto& [key, fields] : wanted) {
        const auto at = shown.find(key);
        if (at == shown.end() || at->second != fields) keys.push_back(key);
    }
    for (const auto& [key, fields] : shown) {
        if (!wanted.contains(key)) keys.push_back(key);
    }
    std::sort(keys.begin(), keys.end());
    std::rotate(keys.begin(), std::upper_bound(keys.begin(), keys.end(), last_key), keys.end());
    // What says up to where it is whole goes last.
    if (const auto head = std::find(keys.begin(), keys.end(), head_key); head != keys.end()) std::rotate(head, head + 1, keys.end());
    return keys;
}

/// The difference between what should be and what is, as far as one write goes.
Write difference(State& state, PlaceState& place, Instant now) {
    Write write{.place = place.kind, .set = {}, .removed = {}, .renewed = {}};
    auto wanted = wanted_at(state, place.kind);
    auto keys = differing(*place.shown, wanted, place.last_key);
    const auto room = room_of(place, state.policy, now);
    const bool whole = keys.size() <= room;
    if (!whole) keys.resize(room);
    Leaving leaving{.after = *place.shown, .position = whole ? state.view->position : Position{}, .since = place.changed_at, .changes = keys.size()};
    for (const auto& key : keys) {
        const auto at = wanted.find(key);
        if (at == wanted.end()) {
            leaving.after.erase(key);
            write.removed.push_back(key);
        } else {
            leaving.after[key] = at->second;
            write.set.emplace(key, std::move(at->second));
        }
    }
    if (!keys.empty()) place.last_key = keys.back();
    if (place.kind == PlaceKind::dynamodb) place.room -= static_cast<double>(keys.size());
    if (place.kind == PlaceKind::redis && now >= place.renew_at) {
        for (const auto& [key, fields] : leaving.after) {
            if (!write.set.contains(key)) write.renewed.push_back(key);
        }
        place.renew_at = now + state.policy.lifetime / renewals_per_lifetime;
    }
    if (whole) place.changed_at.reset();
    place.leaving = std::move(leaving);
    return write;
}

void watch_lag(PlaceState& place, const Policy& policy, Instant now, Decisions& decisions) {
    const auto lag = lag_of(place, now);
    const bool late = lag > policy.behind;
    if (late && !place.told_behind) tell(decisions, place, LogLevel::warn, "picture.behind", fmt::format("by {} s", lag.count() / 1'000));
    if (!late && place.told_behind) tell(decisions, place, LogLevel::info, "picture.caught_up", fmt::format("it shows position {}", place.position.value));
    place.told_behind = late;
}

void look_at(State& state, PlaceState& place, Instant now, Decisions& decisions) {
    watch_lag(place, state.policy, now, decisions);
    if (!state.view || place.busy || now < place.not_before) return;
    if (!place.shown || now >= place.look_at) {
        place.busy = true;
        place.look_at = now + state.policy.look_every;
        decisions.calls.emplace_back(List{place.kind});      // in place: g++ 12 at -O2 takes a moved one for uninitialised
        return;
    }
    const bool renews = place.kind == PlaceKind::redis && now >= place.renew_at;
    if (!place.changed_at && !renews) return;
    auto write = difference(state, place, now);
    if (write.set.empty() && write.removed.empty() && write.renewed.empty()) {
        if (place.leaving->position.value > 0) place.position = place.leaving->position;   // that fact changed nothing here
        return place.leaving.reset();
    }
    place.busy = true;
    decisions.calls.emplace_back(std::move(write));
}

struct Take {
    State& state;
    Instant now;
    Decisions& decisions;

    void operator()(Tick&) {
        for (auto& place : state.places) look_at(state, place, now, decisions);
    }
    void operator()(ViewReply& reply) {
        state.view = std::move(reply.view);
        state.view->reindex();
        state.head = state.view->position;
        for (const auto& beat : reply.heartbeats) hear(beat);
        note_change(state, now);
    }
    // What was true is shown on until it is known what is, or its lifetime ends.
    void operator()(ViewLost&) { state.view.reset(); }
    void operator()(FactRecord& record) {
        if (!state.view) return;
        apply(*state.view, record);
        state.head = record.position;
        note_change(state, now);
    }
    void operator()(LedgerHead& head) { state.head = std::max(state.head, head.position); }
    void operator()(HostHeartbeat& beat) {
        const auto known = state.loads.find(beat.host);
        if (known != state.loads.end() && known->second.incarnation == beat.incarnation && now - known->second.at < state.policy.heartbeat_every) return;
        hear(beat);
        note_change(state, now);
    }
    void operator()(Listed& listed) {
        auto& place = place_of(state, listed.place);
        place.busy = false;
        if (!listed.keys) return failed(place, state.policy, listed.keys.error(), now, decisions);
        Picture found;
        for (auto& key : *listed.keys) {
            auto known = place.shown ? place.shown->extract(key) : Picture::node_type{};
            if (known.empty()) {
                found.emplace(std::move(key), Fields{});
            } else {
                found.insert(std::move(known));
            }
        }
        if (place.shown && !place.shown->empty()) tell(decisions, place, LogLevel::warn, "picture.lost", fmt::format("{} entries were taken away; they come back", place.shown->size()));
        if (!place.shown) place.renew_at = now;
        place.shown = std::move(found);
        if (!place.changed_at) place.changed_at = now;
    }
    void operator()(Written& written) {
        auto& place = place_of(state, written.place);
        place.busy = false;
        if (!written.outcome) return failed(place, state.policy, written.outcome.error(), now, decisions);
        place.shown = std::move(place.leaving->after);
        place.changes += place.leaving->changes;
        if (place.leaving->position.value > 0) {
            if (place.position.value == 0) tell(decisions, place, LogLevel::info, "picture.whole", fmt::format("{} entries, position {}", place.shown->size(), place.leaving->position.value));
            place.position = place.leaving->position;
        }
        place.leaving.reset();
        place.pause = Duration{0};
    }

private:
    void hear(const HostHeartbeat& beat) {
        state.loads[beat.host] = {beat.incarnation, beat.load, now};
        if (!state.view) return;
        std::erase_if(state.loads, [&](const auto& one) { return one.first != beat.host && !state.view->hosts.contains(one.first); });
    }
};

}  // namespace

Duration lag_of(const PlaceState& place, Instant now) {
    const auto oldest = place.leaving && place.leaving->since ? place.leaving->since : place.changed_at;
    return oldest ? std::max(Duration{0}, std::chrono::duration_cast<Duration>(now - *oldest)) : Duration{0};
}

State make_state(Policy policy) {
    State state{.policy = std::move(policy), .view = {}, .head = {}, .loads = {}, .places = {}};
    if (!state.policy.redis.empty()) state.places.push_back({.kind = PlaceKind::redis});
    if (!state.policy.dynamodb.empty()) state.places.push_back({.kind = PlaceKind::dynamodb});
    return state;
}

Decisions step(State& state, Input input, Instant now) {
    Decisions decisions;
    std::visit(Take{state, now, decisions}, input);
    return decisions;
}

}  // namespace berth::projector
