// SPDX-License-Identifier: Apache-2.0
#include "bus/follower.hpp"

#include <algorithm>
#include <utility>

#include "base/diagnostics.hpp"

namespace berth::bus {

namespace {

constexpr Duration view_timeout{10'000};
constexpr Duration pause_first{200};
constexpr Duration pause_max{5'000};

}  // namespace

// ---- FactOrder

void FactOrder::ask_again() {
    following_ = false;
    seen_ahead_.reset();
    kept_.clear();
}

Result<std::vector<FactRecord>> FactOrder::begin(const std::string& ledger, Position position, Term term) {
    std::vector<FactRecord> next;
    auto reached = position;
    for (auto& [of, record] : kept_) {
        if (of != ledger || record.position <= reached) continue;
        if (record.position.value != reached.value + 1) {
            kept_.clear();
            return fail(ErrorKind::unavailable, "facts {} to {} came neither by the view nor by the bus",
                        reached.value + 1, record.position.value - 1);
        }
        reached = record.position;
        next.push_back(std::move(record));
    }
    kept_.clear();
    following_ = true;
    ledger_ = ledger;
    position_ = reached;
    term_ = term;
    for (const auto& record : next) note_term(record);
    seen_ahead_.reset();
    seen_below_ = false;
    return next;
}

FactPlace FactOrder::place(const std::string& ledger, const FactRecord& record) {
    if (!following_) {
        if (kept_.size() >= kept_max) kept_.pop_front();  // begin() will see the gap
        kept_.emplace_back(ledger, record);
        return FactPlace::kept;
    }
    if (ledger != ledger_) return FactPlace::foreign;
    if (record.position <= position_) {
        const bool of_old_copy = std::holds_alternative<TookOver>(record.fact) && term_of(record.position, record.at) != term_;
        return of_old_copy ? FactPlace::gap : FactPlace::known;
    }
    if (record.position.value != position_.value + 1) return FactPlace::gap;
    position_ = record.position;
    note_term(record);
    return FactPlace::next;
}

void FactOrder::note_term(const FactRecord& record) {
    if (std::holds_alternative<TookOver>(record.fact)) term_ = term_of(record.position, record.at);
}

bool FactOrder::is_behind(const LedgerHead& head) {
    if (!following_) return false;
    if (head.ledger != ledger_) return true;
    const bool below = head.position < position_;
    if (std::exchange(seen_below_, below) && below) return true;           // an old copy of the ledger
    const bool behind = seen_ahead_ && *seen_ahead_ > position_;
    seen_ahead_ = head.position > position_ ? std::optional{head.position} : std::nullopt;
    return behind;
}

Result<std::pair<std::string, FactRecord>> fact_in(const Delivery& delivery) {
    const auto& envelope = delivery.envelope;
    if (delivery.stamp.role != Role::allocator) {
        return fail(ErrorKind::denied, "'{}' from {}: only the allocator states facts", delivery.name,
                    delivery.stamp.sender);
    }
    if (!envelope.ledger || !envelope.position || !envelope.reason) {
        return fail(ErrorKind::invalid, "'{}' lacks ledger, position or reason", delivery.name);
    }
    std::optional<Result<Fact>> fact;
    for_each_entry([&](const auto& entry) {
        using T = typename std::decay_t<decltype(entry)>::Payload;
        if constexpr (std::is_constructible_v<Fact, T>) {
            if (entry.kind != MessageKind::fact || entry.name != delivery.name) return;
            auto value = delivery.as<T>();
            fact = value ? Result<Fact>{std::move(*value)} : Result<Fact>{fail(value.error())};
        }
    });
    if (!fact) return fail(ErrorKind::invalid, "'{}' is not a fact that this version knows", delivery.name);
    if (!*fact) return fail(fact->error());
    return std::pair{*envelope.ledger, FactRecord{*envelope.position, Term{}, envelope.time, std::move(**fact),
                                                  *envelope.reason, envelope.causation_id.value_or("")}};
}

// ---- Follower

Follower::Follower(Loop& loop, Endpoint& endpoint, Handlers handlers)
    : loop_(loop), endpoint_(endpoint), handlers_(std::move(handlers)), pause_(pause_first) {
    for_each_entry([this](const auto& entry) {
        if (entry.kind != MessageKind::fact) return;
        endpoint_.subscribe(entry.name, [this, alive = alive_](const Delivery& delivery) {
            if (*alive) hear_fact(delivery);
        });
    });
    endpoint_.subscribe(event_name<LedgerHead>, [this, alive = alive_](const Delivery& delivery) {
        if (*alive) hear_head(delivery);
    });
    timer_ = loop_.after(Duration{0}, [this] { ask(); });
}

Follower::~Follower() {
    *alive_ = false;
    if (timer_) loop_.cancel(*timer_);
}

void Follower::ask() {
    timer_.reset();
    std::function<void(Result<ViewReply>)> take = [this, alive = alive_](Result<ViewReply> reply) {
        if (!*alive) return;
        if (reply) return begin(std::move(*reply));
        log_warn("follower.view_missing", {{"why", reply.error().text}});
        ask_later();
    };
    endpoint_.request(ViewRequest{}, view_timeout, std::move(take));
}

void Follower::ask_later() {
    if (timer_) return;
    timer_ = loop_.after(pause_, [this] { ask(); });
    pause_ = std::min(pause_ * 2, pause_max);
}

void Follower::begin(ViewReply reply) {
    reply.view.reindex();
    auto kept = order_.begin(reply.view.ledger, reply.view.position, reply.view.term);
    if (!kept) {
        ++counters_.gaps;
        log_warn("follower.gap", {{"why", kept.error().text}});
        return ask_later();
    }
    ++counters_.views;
    pause_ = pause_first;
    handlers_.on_view(std::move(reply));
    for (const auto& record : *kept) {
        ++counters_.facts;
        handlers_.on_fact(record);
    }
}

void Follower::hear_fact(const Delivery& delivery) {
    auto fact = fact_in(delivery);
    if (!fact) {
        ++counters_.refused;
        return log_warn("follower.refused", {{"why", fact.error().text}});
    }
    const auto& [ledger, record] = *fact;
    switch (order_.place(ledger, record)) {
        case FactPlace::next:
            ++counters_.facts;
            return handlers_.on_fact(record);
        case FactPlace::gap:
            return lose(fmt::format("fact {} came after {}", record.position.value, order_.position().value),
                        counters_.gaps);
        case FactPlace::foreign:
            return lose(fmt::format("a fact of ledger {}", ledger), counters_.foreign);
        case FactPlace::known:
        case FactPlace::kept: return;
    }
}

void Follower::hear_head(const Delivery& delivery) {
    const auto head = delivery.as<LedgerHead>();
    if (!head || delivery.stamp.role != Role::allocator) {
        ++counters_.refused;
        return;
    }
    if (order_.is_behind(*head)) {
        lose(fmt::format("the head is {} of ledger {}, here it is {}", head->position.value, head->ledger,
                         order_.position().value),
             counters_.behind);
    }
    if (handlers_.on_head) handlers_.on_head(*head);
}

void Follower::lose(const std::string& why, std::uint64_t& counter) {
    ++counter;
    log_warn("follower.lost", {{"why", why}});
    order_.ask_again();
    if (handlers_.on_lost) handlers_.on_lost(why);
    ask_later();
}

}  // namespace berth::bus
