// SPDX-License-Identifier: Apache-2.0
#include "broker/glance.hpp"

#include <algorithm>
#include <array>

#include "broker/policy.hpp"
#include "events/reader.hpp"

namespace berth::broker {

namespace {

using wire::Kind;
using wire::Reader;
using wire::Value;

const char* why_not_read(Reader& from) { return from.error().text.ends_with("insufficient bytes") ? "the message ends too early" : "not msgpack"; }

/// Why a value within an envelope is not to be passed on, or null: bounds of depth and items. One pass; what is
/// kept is a number for each level that is open.
const char* walk(Reader& from) {
    std::array<std::uint64_t, depth_max> open{};      // values that are left at each level below the envelope
    std::size_t level = 0;
    do {
        if (level > 0) --open[level - 1];
        Value value;
        if (!from.next(value)) return why_not_read(from);
        if (value.kind == Kind::array || value.kind == Kind::map) {
            if (value.count > items_max) return "too many items";
            if (level + 2 > depth_max) return "too deep";
            open[level++] = value.kind == Kind::map ? 2 * std::uint64_t{value.count} : value.count;
        }
        while (level > 0 && open[level - 1] == 0) --level;
    } while (level > 0);
    return nullptr;
}

struct Seen {
    std::optional<std::string_view> id;
    std::optional<std::string_view> deadline;
    std::optional<std::string_view> time;
};

const char* take_text(Reader& from, std::optional<std::string_view>& into, const char* twice) {
    Value value;
    if (!from.next(value)) return why_not_read(from);
    if (value.kind != Kind::text) return "id and deadline are text";
    if (into) return twice;
    into = value.text;
    return nullptr;
}

const char* read(Reader& from, Seen& seen) {
    Value head;
    if (!from.next(head)) return why_not_read(from);
    if (head.kind != Kind::map) return "an envelope is a map";
    if (head.count > items_max) return "too many items";
    for (std::uint32_t i = 0; i < head.count; ++i) {
        Value key;
        if (!from.next(key)) return why_not_read(from);
        if (key.kind != Kind::text) return "a key is not text";
        const char* why = nullptr;
        if (key.text == "id") why = take_text(from, seen.id, "key 'id' stands twice");
        else if (key.text == "deadline") why = take_text(from, seen.deadline, "key 'deadline' stands twice");
        else {
            auto there = from;
            why = walk(from);
            Value value;
            if (why == nullptr && key.text == "time" && there.next(value) && value.kind == Kind::text) seen.time = value.text;
        }
        if (why != nullptr) return why;
    }
    return from.at_end() ? nullptr : "bytes follow the end of the message";
}

}  // namespace

Result<Glance> glance(std::string_view envelope) {
    Reader reader(envelope);
    Seen there;
    if (const auto* why = read(reader, there)) return fail(ErrorKind::invalid, "{}", why);
    if (!there.id || there.id->empty() || there.id->size() > id_bytes_max) {
        return fail(ErrorKind::invalid, "an id has 1 to {} characters", id_bytes_max);
    }
    if (!std::all_of(there.id->begin(), there.id->end(), [](char c) { return c > ' ' && c <= '~'; })) {
        return fail(ErrorKind::invalid, "an id is printable ASCII without blanks");
    }
    Glance seen{.id = *there.id};
    if (there.deadline) {
        seen.deadline = TRY(from_rfc3339(*there.deadline));
        if (there.time) seen.time = TRY(from_rfc3339(*there.time));
    }
    return seen;
}

}  // namespace berth::broker
