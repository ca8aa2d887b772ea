// SPDX-License-Identifier: Apache-2.0
#include "events/envelope.hpp"

#include <array>
#include <charconv>

#include "events/codec.hpp"
#include "events/wire.hpp"

namespace berth {

namespace {

constexpr std::string_view type_prefix = "io.berth.";
constexpr std::string_view type_suffix = ".v1";

// The attributes that are plain values; data and reason stand beside them in the same map. Texts lie in
// the bytes that they were read from, or in the envelope that is written.
struct Attributes {
    std::string_view specversion = "1.0";
    std::string_view id;
    std::string_view source;
    std::string_view type;
    std::optional<std::string_view> subject;
    Instant time;
    std::optional<std::string_view> datacontenttype;
    std::optional<std::string_view> sequence;
    std::optional<std::string_view> correlationid;
    std::optional<std::string_view> causationid;
    std::optional<std::string_view> traceparent;
    std::optional<std::string_view> ledgerid;
    std::optional<Position> ledgerposition;
    std::optional<Instant> deadline;
    std::optional<Error> error;
    BERTH_FIELDS(Attributes, specversion, id, source, type, subject, time, datacontenttype, sequence, correlationid,
                 causationid, traceparent, ledgerid, ledgerposition, deadline, error)
};

constexpr std::size_t attributes_bytes = 384;   // of most envelopes, without data and reason

std::optional<std::string> text_of(const std::optional<std::string_view>& view) {
    return view ? std::optional<std::string>{*view} : std::nullopt;
}

}  // namespace

Reason::Reason(std::string why, std::string actor, std::string policy, std::vector<std::string> evidence)
    : why_(std::move(why)), actor_(std::move(actor)), policy_(std::move(policy)), evidence_(std::move(evidence)) {}

std::string topic_of(std::string_view name, std::string_view key) {
    std::string topic;
    topic.reserve(name.size() + key.size() + 2);
    topic.append(name).append(".");
    if (!key.empty()) topic.append(key).append(".");
    return topic;
}

std::string type_attribute(std::string_view name) {
    std::string type;
    type.reserve(type_prefix.size() + name.size() + type_suffix.size());
    type.append(type_prefix).append(name).append(type_suffix);
    return type;
}

std::string name_in_type(std::string_view type) {
    if (!type.starts_with(type_prefix) || !type.ends_with(type_suffix)) return {};
    if (type.size() <= type_prefix.size() + type_suffix.size()) return {};
    return std::string{type.substr(type_prefix.size(), type.size() - type_prefix.size() - type_suffix.size())};
}

Bytes encode_envelope(const Envelope& envelope) {
    Attributes head{.id = envelope.id, .source = envelope.source, .type = envelope.type, .time = envelope.time};
    std::array<char, 20> digits{};
    if (!envelope.subject.empty()) head.subject = envelope.subject;
    if (!envelope.data.empty()) head.datacontenttype = "application/msgpack";
    if (envelope.sequence) {
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *envelope.sequence).ptr;
        head.sequence = std::string_view{digits.data(), static_cast<std::size_t>(end - digits.data())};
    }
    head.correlationid = envelope.correlation_id;
    head.causationid = envelope.causation_id;
    head.traceparent = envelope.trace_parent;
    head.ledgerid = envelope.ledger;
    head.ledgerposition = envelope.position;
    head.deadline = envelope.deadline;
    head.error = envelope.error;

    Bytes bytes;
    bytes.reserve(attributes_bytes + envelope.data.size());
    wire::Packer to(bytes);
    to.map(wire::fields_present(head) + (envelope.data.empty() ? 0 : 1) + (envelope.reason ? 1 : 0));
    wire::put_fields(to, head);
    if (envelope.reason) {
        to.text("reason");
        wire::put_reason(to, *envelope.reason);
    }
    if (!envelope.data.empty()) {
        to.text("data");
        to.raw(envelope.data);
    }
    return bytes;
}

namespace {

struct Parts {
    Attributes head;
    std::string_view reason;
    std::string_view data;
};

Result<Parts> parts_of(std::string_view bytes) {
    wire::Reader from(bytes);
    std::uint32_t count = 0;
    if (!from.map(count)) return fail(ErrorKind::invalid, "an envelope is a map");
    Parts parts;
    wire::Fields<Attributes> fields;
    using Found = wire::Fields<Attributes>::Found;
    std::string_view key;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (!from.text(key)) return fail(std::move(from.error()));
        bool taken = true;
        if (key == "data") {
            taken = from.slice(parts.data);
        } else if (key == "reason") {
            taken = from.slice(parts.reason);
        } else {
            const auto found = fields.take_field(from, key, parts.head);
            taken = found == Found::unknown ? from.skip() : found == Found::yes;
        }
        if (!taken) return fail(std::move(from.error()));
    }
    if (!fields.complete(from)) return fail(std::move(from.error()));
    return parts;
}

}  // namespace

Result<Envelope> decode_envelope(std::string_view bytes, const DecodeLimits& limits) {
    TRY(wire::sound(bytes, limits));
    const auto parts = TRY(parts_of(bytes));
    const auto& head = parts.head;
    if (head.specversion != "1.0") {
        return fail(ErrorKind::invalid, "specversion '{}' is not 1.0", head.specversion.substr(0, 20));
    }
    constexpr std::size_t longest = 512;
    if (head.id.empty() || head.id.size() > longest || head.source.size() > longest || head.type.size() > longest) {
        return fail(ErrorKind::invalid, "id, source and type are 1 to {} bytes", longest);
    }
    Envelope envelope{.id = std::string{head.id}, .source = std::string{head.source}, .type = std::string{head.type},
                      .subject = std::string{head.subject.value_or("")}, .time = head.time,
                      .correlation_id = text_of(head.correlationid), .causation_id = text_of(head.causationid),
                      .trace_parent = text_of(head.traceparent), .ledger = text_of(head.ledgerid),
                      .position = head.ledgerposition, .deadline = head.deadline, .error = head.error};
    if (head.sequence) {
        std::uint64_t value = 0;
        const auto* end = head.sequence->data() + head.sequence->size();
        const auto [stop, error] = std::from_chars(head.sequence->data(), end, value);
        if (error != std::errc{} || stop != end) return fail(ErrorKind::invalid, "sequence is not a decimal number");
        envelope.sequence = value;
    }
    if (!parts.reason.empty()) envelope.reason = TRY(wire::get_reason(parts.reason));
    if (!parts.data.empty()) {
        std::uint32_t count = 0;
        if (!wire::Reader(parts.data).map(count)) return fail(ErrorKind::invalid, "data is a map");
        envelope.data.assign(parts.data);
    }
    return envelope;
}

}  // namespace berth
