// SPDX-License-Identifier: Apache-2.0
#include "gateway/events.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/shapes.hpp"

namespace berth::gateway {

namespace {

std::string framed(std::string_view id, std::string_view name, const Json& data) {
    std::string out;
    if (!id.empty()) out += fmt::format("id: {}\n", id);
    out += fmt::format("event: {}\ndata: {}\n\n", name, text_of(data));  // compact JSON has no line break
    return out;
}

bool wants_name(const StreamWish& wish, std::string_view name) {
    return wish.types.empty() || std::any_of(wish.types.begin(), wish.types.end(),
                                             [&](const std::string& prefix) { return name.starts_with(prefix); });
}

}  // namespace

std::string event_of_fact(const FactRecord& record, const std::string& ledger) {
    const auto name = type_of(record.fact);
    const auto id = fmt::format("{}:{}", ledger, record.position.value);
    const auto subjects = subjects_of(record.fact);
    Json event = {{"specversion", "1.0"}, {"id", id}, {"source", "/berth/allocator"}, {"type", type_attribute(name)},
                  {"subject", subjects.empty() ? std::string{} : subjects.front()}, {"time", to_rfc3339(record.at)},
                  {"datacontenttype", "application/json"}, {"ledger", ledger},
                  {"position", std::to_string(record.position.value)}};
    auto shape = fact_shape(record);
    event["reason"] = std::move(shape["reason"]);
    if (!record.cause.empty()) event["causationid"] = record.cause;
    event["data"] = std::move(shape["data"]);
    return framed(id, name, event);
}

std::string event_of_delivery(const bus::Delivery& delivery) {
    const auto& envelope = delivery.envelope;
    const auto text = to_json(envelope.data);
    auto data = text ? Json::parse(*text, nullptr, false) : Json(Json::value_t::discarded);
    if (data.is_discarded()) return {};
    Json event = {{"specversion", "1.0"}, {"id", envelope.id}, {"source", envelope.source}, {"type", envelope.type},
                  {"subject", envelope.subject}, {"time", to_rfc3339(envelope.time)}, {"datacontenttype", "application/json"}};
    if (envelope.reason) {
        event["reason"] = {{"why", envelope.reason->why()}, {"actor", envelope.reason->actor()},
                           {"policy", envelope.reason->policy()}, {"evidence", envelope.reason->evidence()}};
    }
    if (envelope.causation_id) event["causationid"] = *envelope.causation_id;
    event["data"] = std::move(data);
    return framed("", delivery.name, event);
}

std::string event_of_stream(std::string_view name, std::string_view text) { return framed("", name, {{"text", text}}); }

bool wants_fact(const StreamWish& wish, const View& view, const FactRecord& record) {
    if (!wants_name(wish, type_of(record.fact))) return false;
    if (!wish.subject.empty()) {
        const auto subjects = subjects_of(record.fact);
        if (std::find(subjects.begin(), subjects.end(), wish.subject) == subjects.end()) return false;
    }
    return may_see(wish.caller, view, record.fact);
}

bool wants_delivery(const StreamWish& wish, const View& view, const bus::Delivery& delivery) {
    if (!wants_name(wish, delivery.name)) return false;
    if (delivery.name == event_name<ClaimProgress>) {
        const auto progress = delivery.as<ClaimProgress>();
        if (!progress || !may_see(wish.caller, view, *progress)) return false;
        return wish.subject.empty() || wish.subject == progress->claim.value || wish.subject == progress->key.value;
    }
    if (!wish.caller.is_operator()) return false;
    return wish.subject.empty() || wish.subject == delivery.envelope.subject || wish.subject == delivery.key;
}

}  // namespace berth::gateway
