// SPDX-License-Identifier: Apache-2.0
#include "gateway/streams.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace berth::gateway {

Result<void> Streams::check_room(const Caller& caller) const {
    const auto& policy = picture_.policy;
    if (streams_.size() >= policy.streams_max) {
        return fail(ErrorKind::limit, "{} event streams are open already; try again later", policy.streams_max);
    }
    const auto own = std::count_if(streams_.begin(), streams_.end(), [&](const auto& entry) {
        return entry.second.wish.caller.principal() == caller.principal();
    });
    if (static_cast<std::uint32_t>(own) >= policy.streams_per_caller_max) {
        return fail(ErrorKind::limit, "{} event streams of this caller are open already; close one", policy.streams_per_caller_max);
    }
    return {};
}

void Streams::open(ClientId client, StreamWish wish) {
    if (ledger_.empty()) ledger_ = picture_.view.ledger;
    Stream stream{.wish = std::move(wish), .next = Position{picture_.view.position.value + 1}, .live = true};
    if (stream.wish.from) {
        if (stream.wish.ledger.empty() || stream.wish.ledger == picture_.view.ledger) {
            stream.live = stream.wish.from->value > picture_.view.position.value;
            stream.next = *stream.wish.from;
        } else {
            out_.push(client, event_of_stream("gap", "that event is of another ledger; this is the present one, from now on"), Tell::nothing);
        }
    }
    const bool live = stream.live;
    streams_[client] = std::move(stream);
    out_.push(client, fmt::format(": berth, at {}:{}\n\n", picture_.view.ledger, picture_.view.position.value), Tell::nothing);
    if (!live) replay(client);
}

void Streams::close(ClientId client) { streams_.erase(client); }

void Streams::end_without_token(Instant now) {
    std::vector<std::pair<ClientId, std::string>> over;
    for (const auto& [client, stream] : streams_) {
        const auto& token = stream.wish.caller.token_id;
        if (auto why = token.empty() ? std::nullopt : picture_.tokens.why_over(token, now)) over.emplace_back(client, std::move(*why));
    }
    for (const auto& [client, why] : over) out_.end(client, event_of_stream("error", why));
}

void Streams::drained(ClientId client) {
    const auto at = streams_.find(client);
    if (at == streams_.end() || at->second.live) return;
    at->second.asking = false;
    replay(client);
}

void Streams::replay(ClientId client) {
    auto& stream = streams_.at(client);
    if (stream.live || stream.asking) return;
    stream.asking = true;
    FactsRequest request{.from = stream.next, .limit = picture_.policy.replay_page};
    if (!stream.wish.subject.empty()) request.subject = stream.wish.subject;
    out_.read(request, [this, client](Result<FactsReply> reply) { take_page(client, std::move(reply)); });
}

void Streams::take_page(ClientId client, Result<FactsReply> reply) {
    const auto at = streams_.find(client);
    if (at == streams_.end()) return;
    auto& stream = at->second;
    if (!reply) {
        return out_.later([this, client] {
            const auto again = streams_.find(client);
            if (again == streams_.end()) return;
            again->second.asking = false;
            replay(client);
        });
    }
    std::string bytes;
    for (const auto& record : reply->facts) send_fact(client, stream, record, bytes);
    const bool last_page = reply->facts.size() < picture_.policy.replay_page;
    // With a subject, facts about others lie between: all up to the head were looked at.
    if (last_page) stream.next = std::max(stream.next, Position{reply->head.value + 1});
    // Live from here when nothing lies between this page and the next fact that will be heard.
    if (last_page && stream.next.value > picture_.view.position.value) {
        stream.live = true;
        stream.asking = false;
        if (!bytes.empty()) out_.push(client, std::move(bytes), Tell::nothing);
        return;
    }
    if (bytes.empty()) bytes = ":\n\n";
    out_.push(client, std::move(bytes), Tell::when_drained);
}

void Streams::send_fact(ClientId, Stream& stream, const FactRecord& record, std::string& into) {
    if (record.position < stream.next) return;
    stream.next = Position{record.position.value + 1};
    if (!wants_fact(stream.wish, picture_.view, record)) return;
    into += event_of_fact(record, picture_.view.ledger);
    ++sent_;
}

void Streams::on_fact(const FactRecord& record) {
    for (auto& [client, stream] : streams_) {
        if (!stream.live) continue;
        std::string bytes;
        send_fact(client, stream, record, bytes);
        if (!bytes.empty()) out_.push(client, std::move(bytes), Tell::nothing);
    }
}

void Streams::on_delivery(const bus::Delivery& delivery) {
    std::string bytes;
    for (auto& [client, stream] : streams_) {
        if (!stream.live || !wants_delivery(stream.wish, picture_.view, delivery)) continue;
        if (bytes.empty()) bytes = event_of_delivery(delivery);
        if (bytes.empty()) return;
        out_.push(client, bytes, Tell::nothing);
        ++sent_;
    }
}

void Streams::on_view() {
    const bool other = !ledger_.empty() && ledger_ != picture_.view.ledger;
    ledger_ = picture_.view.ledger;
    std::vector<ClientId> behind;
    for (auto& [client, stream] : streams_) {
        if (other) {
            out_.push(client, event_of_stream("gap", "the ledger is another one now; this is its present, from now on"), Tell::nothing);
            stream.next = Position{picture_.view.position.value + 1};
            stream.live = true;
        } else if (stream.live && stream.next.value <= picture_.view.position.value) {
            stream.live = false;
            behind.push_back(client);
        }
    }
    for (const auto client : behind) replay(client);
}

void Streams::on_heartbeat() {
    for (const auto& [client, stream] : streams_) {
        if (stream.live) out_.push(client, ":\n\n", Tell::nothing);
    }
}

}  // namespace berth::gateway
