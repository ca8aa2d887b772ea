// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_bus.hpp"

#include <fmt/format.h>

#include <utility>

namespace berth::sim {

namespace {

bus::Delivery delivery_of(const Letter& letter) {
    bus::Delivery delivery{.name = std::string{letter.name}, .key = letter.key, .value = letter.value};
    delivery.stamp = {role_of(letter.from), letter.from, letter.tag};
    auto& envelope = delivery.envelope;
    envelope.id = fmt::format("m{}", letter.id);
    envelope.time = letter.time;
    if (letter.data) envelope.data = *letter.data;
    envelope.reason = letter.reason;
    envelope.ledger = letter.ledger;
    envelope.position = letter.position;
    if (!letter.cause.empty()) envelope.causation_id = letter.cause;
    return delivery;
}

}  // namespace

SimBus::SimBus(SimLoop& loop, bus::Peer peer, std::function<bool()> dies)
    : loop_(loop), world_(loop.world()), peer_(std::move(peer)), dies_(std::move(dies)) {}

Letter SimBus::letter_of(std::string_view name, const bus::Outgoing& body) const {
    Letter letter{.from = peer_.name, .name = name, .id = world_.next_id(), .time = loop_.now()};
    if (world_.encoding == Encoding::real) letter.data = std::make_shared<const Bytes>(body.bytes());
    else letter.value = body.copy();
    return letter;
}

// ---- out

void SimBus::publish_as(std::string_view name, const bus::Outgoing& body, const bus::Note& note) {
    if (dies_()) return;
    auto letter = letter_of(find_event_row(name)->name, body);
    letter.reason = note.reason;
    letter.cause = note.cause;
    world_.spread(loop_.process(), std::move(letter), peer_.role == Role::host ? std::string{} : note.key);
}

void SimBus::publish_fact(const std::string& ledger, const FactRecord& record) {
    if (dies_()) return;
    Letter letter{.from = peer_.name, .name = find_event_row(type_of(record.fact))->name, .id = world_.next_id(), .reason = record.reason,
                  .ledger = ledger, .position = record.position, .cause = record.cause, .time = record.at};
    if (world_.encoding == Encoding::real) letter.data = std::make_shared<const Bytes>(encode_fact_data(record));
    else letter.value = std::make_shared<const FactRecord>(record);
    world_.spread(loop_.process(), std::move(letter), {});
}

void SimBus::request_as(std::string_view name, const bus::Outgoing& body, Duration timeout, const bus::Note& note, OnReply handler,
                        OnAbsent absent) {
    if (dies_()) return;
    const auto* row = find_request_row(name);
    auto letter = letter_of(row->name, body);
    letter.kind = LetterKind::request;
    letter.cause = note.cause;
    letter.to = row->routing == Routing::by_host ? note.key : std::string{name.substr(0, name.find('.'))};
    const auto asked = on_answer ? std::make_shared<const Letter>(letter) : nullptr;
    world_.send_request(loop_.process(), std::move(letter), timeout, [this, loop = loop_, asked, handler = std::move(handler), absent = std::move(absent)](Result<Letter> outcome) mutable {
        loop.deliver([this, asked, handler = std::move(handler), absent = std::move(absent), outcome = std::move(outcome)] {
            if (asked) on_answer(*asked, outcome);
            const bool nobody = !outcome && is_of_bus(outcome.error()) && outcome.error().kind == ErrorKind::unavailable;
            if (nobody && absent) return absent(outcome.error());
            if (!outcome) return handler(fail(outcome.error()));
            handler(delivery_of(*outcome));
        });
    });
}

// ---- in

void SimBus::subscribe(std::string_view name, OnDelivery handler) {
    subscriptions_.emplace_back(std::string{name}, std::move(handler));
    if (peer_.role != Role::host) world_.subscribe(peer_.name, std::string{name});
}

void SimBus::serve_as(std::string_view name, OnRequest handler) {
    served_[std::string{name}] = std::move(handler);
    world_.serve(loop_.process());
}

void SimBus::when_serving(std::function<void()> then) { loop_.post(std::move(then)); }

// A frozen process reads its letters when it thaws.
void SimBus::receive(const LetterPtr& letter) {
    world_.after(loop_.process(), Duration{0}, [this, loop = loop_, letter]() mutable {
        if (loop.over()) return;
        loop.deliver([this, letter] {
            if (letter->kind == LetterKind::request) take_request(letter);
            else take_event(letter);
        });
    });
}

void SimBus::take_event(const LetterPtr& letter) {
    const auto delivery = delivery_of(*letter);
    for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
        if (subscriptions_[i].first.empty() || subscriptions_[i].first == letter->name) subscriptions_[i].second(delivery);
    }
}

void SimBus::take_request(const LetterPtr& letter) {
    const bus::Responder responder([this, loop = loop_, letter](const bus::Outgoing* body, const Error* error) {
        if (loop.over() || dies_()) return;
        Letter reply{.from = letter->to, .to = letter->from, .name = letter->name, .kind = LetterKind::reply, .id = letter->id,
                     .process = letter->process, .tag = letter->tag};
        if (error) reply.error = *error;
        if (body && world_.encoding == Encoding::real) reply.data = std::make_shared<const Bytes>(body->bytes());
        else if (body) reply.value = body->copy();
        world_.send_reply(std::move(reply));
    });
    const auto found = served_.find(letter->name);
    if (found == served_.end()) {
        return responder.refuse({ErrorKind::not_found, fmt::format("{} does not serve {}", peer_.name, letter->name)});
    }
    found->second(delivery_of(*letter), responder);
}

}  // namespace berth::sim
