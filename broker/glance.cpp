// SPDX-License-Identifier: Apache-2.0
#include "broker/glance.hpp"

#include <algorithm>
#include <msgpack.hpp>

#include "broker/policy.hpp"

namespace berth::broker {

namespace {

// Follows libmsgpack's own parser, which keeps no more than one small number for each open level.
class Glancer : public msgpack::null_visitor {
public:
    bool start_map(std::uint32_t count) { return open(count, true); }
    bool start_array(std::uint32_t count) { return open(count, false); }
    bool end_map() { return close(); }
    bool end_array() { return close(); }
    bool start_map_key() {
        if (depth_ == 1) in_key_ = true;
        return true;
    }
    bool end_map_key() {
        if (depth_ == 1) in_key_ = false;
        return true;
    }

    bool visit_nil() { return plain(); }
    bool visit_boolean(bool) { return plain(); }
    bool visit_positive_integer(std::uint64_t) { return plain(); }
    bool visit_negative_integer(std::int64_t) { return plain(); }
    bool visit_float32(float) { return plain(); }
    bool visit_float64(double) { return plain(); }
    bool visit_bin(const char*, std::uint32_t) { return plain(); }
    bool visit_ext(const char*, std::uint32_t) { return plain(); }
    bool visit_str(const char* data, std::uint32_t size) {
        const std::string_view text{data, size};
        if (depth_ == 0) return refuse("an envelope is a map");
        if (depth_ > 1) return true;
        if (in_key_) {
            key_ = text;
            return true;
        }
        if (key_ == "id") return take(id, text, "id");
        if (key_ == "deadline") return take(deadline, text, "deadline");
        if (key_ == "time") time = text;
        return true;
    }

    void parse_error(std::size_t, std::size_t) { refuse("not msgpack"); }
    void insufficient_bytes(std::size_t, std::size_t) { refuse("the message ends too early"); }

    std::optional<std::string_view> id;
    std::optional<std::string_view> deadline;
    std::optional<std::string_view> time;
    const char* why = nullptr;

private:
    bool refuse(const char* reason) {
        if (why == nullptr) why = reason;
        return false;
    }
    bool take(std::optional<std::string_view>& into, std::string_view text, const char* name) {
        if (into) return refuse(name[0] == 'i' ? "key 'id' stands twice" : "key 'deadline' stands twice");
        into = text;
        return true;
    }
    bool open(std::uint32_t count, bool map) {
        if (depth_ == 0 && !map) return refuse("an envelope is a map");
        if (depth_ == 1 && in_key_) return refuse("a key is not text");
        if (count > items_max) return refuse("too many items");
        if (++depth_ > depth_max) return refuse("too deep");
        return true;
    }
    bool close() {
        --depth_;
        return true;
    }
    bool plain() {
        if (depth_ == 0) return refuse("an envelope is a map");
        if (depth_ == 1 && in_key_) return refuse("a key is not text");
        if (depth_ == 1 && (key_ == "id" || key_ == "deadline")) return refuse("id and deadline are text");
        return true;
    }

    std::size_t depth_ = 0;
    bool in_key_ = false;
    std::string_view key_;
};

}  // namespace

Result<Glance> glance(std::string_view envelope) {
    Glancer glancer;
    std::size_t offset = 0;
    const bool whole = msgpack::parse(envelope.data(), envelope.size(), offset, glancer);
    if (glancer.why != nullptr) return fail(ErrorKind::invalid, "{}", glancer.why);
    if (!whole) return fail(ErrorKind::invalid, "not msgpack");
    if (offset != envelope.size()) return fail(ErrorKind::invalid, "bytes follow the end of the message");
    if (!glancer.id || glancer.id->empty() || glancer.id->size() > id_bytes_max) {
        return fail(ErrorKind::invalid, "an id has 1 to {} characters", id_bytes_max);
    }
    if (!std::all_of(glancer.id->begin(), glancer.id->end(), [](char c) { return c > ' ' && c <= '~'; })) {
        return fail(ErrorKind::invalid, "an id is printable ASCII without blanks");
    }
    Glance seen{.id = *glancer.id};
    if (glancer.deadline) {
        seen.deadline = TRY(from_rfc3339(*glancer.deadline));
        if (glancer.time) seen.time = TRY(from_rfc3339(*glancer.time));
    }
    return seen;
}

}  // namespace berth::broker
