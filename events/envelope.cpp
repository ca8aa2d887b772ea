// SPDX-License-Identifier: Apache-2.0
#include "events/envelope.hpp"

#include <charconv>

#include "events/codec.hpp"
#include "events/wire.hpp"

namespace berth {

namespace {

constexpr std::string_view type_prefix = "io.berth.";
constexpr std::string_view type_suffix = ".v1";

// The attributes that are plain values; data, reason and error stand beside them in the same map.
struct Attributes {
    std::string specversion = "1.0";
    std::string id;
    std::string source;
    std::string type;
    std::optional<std::string> subject;
    Instant time;
    std::optional<std::string> datacontenttype;
    std::optional<std::string> sequence;
    std::optional<std::string> correlationid;
    std::optional<std::string> causationid;
    std::optional<std::string> traceparent;
    std::optional<std::string> ledgerid;
    std::optional<Position> ledgerposition;
    std::optional<Instant> deadline;
    std::optional<Error> error;
    BERTH_FIELDS(Attributes, specversion, id, source, type, subject, time, datacontenttype, sequence, correlationid,
                 causationid, traceparent, ledgerid, ledgerposition, deadline, error)
};

}  // namespace

Reason::Reason(std::string why, std::string actor, std::string policy, std::vector<std::string> evidence)
    : why_(std::move(why)), actor_(std::move(actor)), policy_(std::move(policy)), evidence_(std::move(evidence)) {}

std::string topic_of(std::string_view name, std::string_view key) {
    return key.empty() ? fmt::format("{}.", name) : fmt::format("{}.{}.", name, key);
}

std::string type_attribute(std::string_view name) { return fmt::format("{}{}{}", type_prefix, name, type_suffix); }

std::string name_in_type(std::string_view type) {
    if (!type.starts_with(type_prefix) || !type.ends_with(type_suffix)) return {};
    if (type.size() <= type_prefix.size() + type_suffix.size()) return {};
    return std::string{type.substr(type_prefix.size(), type.size() - type_prefix.size() - type_suffix.size())};
}

Bytes encode_envelope(const Envelope& envelope) {
    Attributes head{.id = envelope.id, .source = envelope.source, .type = envelope.type, .time = envelope.time};
    if (!envelope.subject.empty()) head.subject = envelope.subject;
    if (!envelope.data.empty()) head.datacontenttype = "application/msgpack";
    if (envelope.sequence) head.sequence = fmt::format("{}", *envelope.sequence);
    head.correlationid = envelope.correlation_id;
    head.causationid = envelope.causation_id;
    head.traceparent = envelope.trace_parent;
    head.ledgerid = envelope.ledger;
    head.ledgerposition = envelope.position;
    head.deadline = envelope.deadline;
    head.error = envelope.error;

    msgpack::sbuffer buffer;
    wire::Packer packer(buffer);
    wire::put_struct(packer, head);
    // The two remaining entries are spliced behind the attributes: one more map header, same body.
    Bytes body{buffer.data(), buffer.size()};
    std::size_t skip = static_cast<unsigned char>(body[0]) == 0xde ? 3 : 1;
    std::uint32_t count = skip == 3 ? (static_cast<unsigned char>(body[1]) << 8U) + static_cast<unsigned char>(body[2])
                                    : static_cast<unsigned char>(body[0]) & 0x0fU;
    count += (envelope.data.empty() ? 0 : 1) + (envelope.reason ? 1 : 0);
    msgpack::sbuffer whole;
    wire::Packer out(whole);
    out.pack_map(count);
    whole.write(body.data() + skip, body.size() - skip);
    if (envelope.reason) {
        wire::put_text(out, "reason");
        wire::put_reason(out, *envelope.reason);
    }
    if (!envelope.data.empty()) {
        wire::put_text(out, "data");
        whole.write(envelope.data.data(), envelope.data.size());
    }
    return {whole.data(), whole.size()};
}

Result<Envelope> decode_envelope(std::string_view bytes, const DecodeLimits& limits) {
    const auto handle = TRY(wire::parse(bytes, limits));
    const auto& map = handle.get();
    if (map.type != msgpack::type::MAP) return fail(ErrorKind::invalid, "an envelope is a map");
    auto head = TRY(wire::get<Attributes>(map));
    if (head.specversion != "1.0") {
        return fail(ErrorKind::invalid, "specversion '{}' is not 1.0", head.specversion.substr(0, 20));
    }
    constexpr std::size_t longest = 512;
    if (head.id.empty() || head.id.size() > longest || head.source.size() > longest || head.type.size() > longest) {
        return fail(ErrorKind::invalid, "id, source and type are 1 to {} bytes", longest);
    }
    Envelope envelope{.id = head.id, .source = head.source, .type = head.type,
                      .subject = head.subject.value_or(""), .time = head.time,
                      .correlation_id = head.correlationid, .causation_id = head.causationid,
                      .trace_parent = head.traceparent, .ledger = head.ledgerid, .position = head.ledgerposition,
                      .deadline = head.deadline, .error = head.error};
    if (head.sequence) {
        std::uint64_t value = 0;
        const auto* end = head.sequence->data() + head.sequence->size();
        const auto [stop, error] = std::from_chars(head.sequence->data(), end, value);
        if (error != std::errc{} || stop != end) return fail(ErrorKind::invalid, "sequence is not a decimal number");
        envelope.sequence = value;
    }
    if (const auto* reason = wire::find_key(map, "reason")) envelope.reason = TRY(wire::get_reason(*reason));
    if (const auto* data = wire::find_key(map, "data")) {
        if (data->type != msgpack::type::MAP) return fail(ErrorKind::invalid, "data is a map");
        msgpack::sbuffer buffer;
        msgpack::pack(buffer, *data);
        envelope.data.assign(buffer.data(), buffer.size());
    }
    return envelope;
}

}  // namespace berth
