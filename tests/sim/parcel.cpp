// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/parcel.hpp"

#include <charconv>

#include "broker/policy.hpp"
#include "events/topic.hpp"

namespace berth::sim {

namespace {

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::string source_of(const std::string& sender) { return fmt::format("/berth/{}/", sender); }

// Whose id ends the topic: of a request to a host that host, of an event the host that it is about.
std::string key_of(const Letter& letter, const std::string& host) {
    const bool request = letter.kind == LetterKind::request;
    const auto* row = request ? find_request_row(letter.name) : find_event_row(letter.name);
    if (row == nullptr || row->routing == Routing::plain) return {};
    if (!host.empty()) return host;
    return request ? letter.to : letter.from;
}

}  // namespace

Parcel pack(const Letter& letter, const std::string& host, Instant now, Duration skew) {
    const bool reply = letter.kind == LetterKind::reply;
    Envelope envelope{.id = fmt::format("{}{}", reply ? "r" : "", letter.id), .source = source_of(letter.from) + "sim",
                      .type = type_attribute(reply ? fmt::format("{}.reply", letter.name) : std::string{letter.name}),
                      .time = letter.position ? letter.time : now + skew,
                      .data = letter.data ? *letter.data : Bytes{}, .reason = letter.reason, .error = letter.error};
    envelope.ledger = letter.ledger;
    envelope.position = letter.position;
    if (!letter.cause.empty()) envelope.causation_id = letter.cause;
    if (reply) envelope.correlation_id = fmt::format("{}", letter.id);
    const bool request = letter.kind == LetterKind::request;
    if (request) envelope.deadline = letter.deadline + skew;
    return {reply ? std::string{reply_topic} : topic_of(std::string{letter.name}, key_of(letter, host)),
            std::make_shared<const Bytes>(encode_envelope(envelope)), letter.tag, letter.id,
            letter.deadline + skew, request ? letter.deadline - now : Duration{0}};
}

Result<Letter> unpack(const Parcel& parcel, const Stamp& stamp, const std::string& receiver) {
    const auto limits = stamp.role == Role::allocator
                            ? trusted_limits
                            : DecodeLimits{broker::envelope_bytes_max, DecodeLimits{}.depth, DecodeLimits{}.items};
    auto envelope = TRY(decode_envelope(*parcel.envelope, limits));
    if (!envelope.source.starts_with(source_of(stamp.sender))) return fail(ErrorKind::invalid, "the source is not the sender");
    Letter letter{.from = stamp.sender, .to = receiver, .deadline = envelope.deadline.value_or(Instant{}), .data = std::make_shared<const Bytes>(std::move(envelope.data)),
                  .tag = stamp.tag, .error = std::move(envelope.error), .reason = std::move(envelope.reason), .ledger = std::move(envelope.ledger),
                  .position = envelope.position, .cause = envelope.causation_id.value_or(""), .time = envelope.time};
    if (parcel.topic == reply_topic) {
        if (envelope.correlation_id != stamp.tag) return fail(ErrorKind::invalid, "the reply answers another request");
        const auto id = number_of(stamp.tag);
        if (!id) return fail(ErrorKind::invalid, "a reply to no request of ours");
        letter.kind = LetterKind::reply;
        letter.id = *id;
        return letter;
    }
    const auto topic = parse_topic(parcel.topic);
    if (!topic) return fail(ErrorKind::invalid, "the topic is malformed");
    if (name_in_type(envelope.type) != topic->name) return fail(ErrorKind::invalid, "type and topic differ");
    const auto* request = find_request_row(topic->name);
    const auto* row = request != nullptr ? request : find_event_row(topic->name);
    if (row == nullptr) return fail(ErrorKind::invalid, "no message has this name");
    letter.name = row->name;
    letter.key = topic->key;
    letter.kind = request != nullptr ? LetterKind::request : LetterKind::event;
    letter.id = number_of(envelope.id).value_or(0);
    return letter;
}

}  // namespace berth::sim
