// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_follower.hpp"

namespace berth::sim {

namespace {

constexpr Duration view_timeout{3'000};
constexpr Duration pause{300};
const std::string ledger_id = "L";

bool is_fact(std::string_view name) {
    const auto* row = find_event_row(name);
    return row != nullptr && row->kind == MessageKind::fact;
}

}  // namespace

SimFollower::SimFollower(World& world, std::string process, Handlers handlers)
    : world_(world), process_(std::move(process)), handlers_(std::move(handlers)) {}

void SimFollower::subscribe() {
    for_each_entry([&](const auto& entry) {
        if (entry.kind == MessageKind::fact) world_.subscribe(process_, std::string{entry.name});
    });
    world_.subscribe(process_, std::string{event_name<LedgerHead>});
}

void SimFollower::begin() {
    ++life_;
    order_ = {};
    ask();
}

void SimFollower::ask() {
    world_.request(process_, process_, "allocator", ViewRequest{}, view_timeout, [this, life = life_](Result<Letter> reply) {
        if (life != life_) return;
        if (reply) return take(reply->as<ViewReply>());
        world_.after(process_, pause, [this, life] {
            if (life == life_) ask();
        });
    });
}

void SimFollower::take(ViewReply reply) {
    reply.view.reindex();
    auto kept = order_.begin(reply.view.ledger, reply.view.position, reply.view.term);
    if (!kept) {
        world_.mark("follower: a gap behind the view");
        world_.after(process_, pause, [this, life = life_] {
            if (life == life_) ask();
        });
        return;
    }
    handlers_.on_view(std::move(reply));
    for (const auto& record : *kept) handlers_.on_fact(record);
}

void SimFollower::lose(const char* why) {
    world_.mark(why);
    order_.ask_again();
    if (handlers_.on_lost) handlers_.on_lost();
    ask();
}

bool SimFollower::hear(const Letter& letter) {
    if (letter.name == event_name<LedgerHead>) {
        const auto head = letter.as<LedgerHead>();
        if (order_.is_behind(head)) lose("follower: behind the beacon");
        if (handlers_.on_head) handlers_.on_head(head);
        return true;
    }
    if (letter.kind != LetterKind::event || !is_fact(letter.name)) return false;
    const auto record = letter.as<FactRecord>();
    switch (order_.place(ledger_id, record)) {
        case bus::FactPlace::next: handlers_.on_fact(record); break;
        case bus::FactPlace::gap: lose("follower: a gap"); break;
        case bus::FactPlace::foreign: lose("follower: another ledger"); break;
        case bus::FactPlace::known:
        case bus::FactPlace::kept: break;
    }
    return true;
}

}  // namespace berth::sim
