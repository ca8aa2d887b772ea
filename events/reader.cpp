// SPDX-License-Identifier: Apache-2.0
#include "events/reader.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

namespace berth::wire {

namespace {

constexpr std::size_t keys_at_hand = 24;   // most maps have fewer; their keys are compared in place

std::uint64_t big_endian(const char* at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = (value << 8U) | static_cast<unsigned char>(at[i]);
    return value;
}

constexpr std::uint64_t high_bits = 0x8080808080808080ULL;

// Checks one value and all that is in it. Its stack is bounded by the limit of depth.
class Checker {
public:
    Checker(Reader& from, const DecodeLimits& limits) : from_(from), limits_(limits) {}

    bool value(std::size_t depth) {
        Value head;
        if (!from_.next(head)) return false;
        switch (head.kind) {
            case Kind::text: return is_utf8(head.text) || from_.refuse("text is not UTF-8");
            case Kind::ext: return from_.refuse(ErrorKind::limit, "msgpack over a limit: ext");
            case Kind::array: return array(head.count, depth + 1);
            case Kind::map: return map(head.count, depth + 1);
            default: return true;
        }
    }

private:
    bool open(std::uint32_t count, std::size_t depth, std::size_t least) {
        if (count > limits_.items) return from_.refuse(ErrorKind::limit, "msgpack over a limit: items");
        if (depth > limits_.depth) return from_.refuse(ErrorKind::limit, "msgpack over a limit: depth");
        return count * least <= from_.left() || from_.refuse("not msgpack: insufficient bytes");
    }
    bool array(std::uint32_t count, std::size_t depth) {
        if (!open(count, depth, 1)) return false;
        for (std::uint32_t i = 0; i < count; ++i) {
            if (!value(depth)) return false;
        }
        return true;
    }
    bool map(std::uint32_t count, std::size_t depth) {
        if (!open(count, depth, 2)) return false;
        return count <= keys_at_hand ? small_map(count, depth) : large_map(count, depth);
    }
    bool key(std::string_view& into) {
        Value head;
        if (!from_.next(head)) return false;
        if (head.kind != Kind::text) return from_.refuse("a map key is not text");
        if (!is_utf8(head.text)) return from_.refuse("text is not UTF-8");
        into = head.text;
        return true;
    }
    bool twice(std::string_view name) { return from_.refuse(fmt::format("key '{}' stands twice", name.substr(0, 40))); }
    bool small_map(std::uint32_t count, std::size_t depth) {
        std::array<std::string_view, keys_at_hand> keys;
        for (std::uint32_t i = 0; i < count; ++i) {
            if (!key(keys[i])) return false;
            for (std::uint32_t k = 0; k < i; ++k) {
                if (keys[k] == keys[i]) return twice(keys[i]);
            }
            if (!value(depth)) return false;
        }
        return true;
    }
    bool large_map(std::uint32_t count, std::size_t depth) {
        std::vector<std::string_view> keys(count);   // each has two bytes at least, as was seen
        for (auto& one : keys) {
            if (!key(one) || !value(depth)) return false;
        }
        std::sort(keys.begin(), keys.end());
        const auto same = std::adjacent_find(keys.begin(), keys.end());
        return same == keys.end() || twice(*same);
    }

    Reader& from_;
    const DecodeLimits& limits_;
};

}  // namespace

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        if (i + 8 <= text.size()) {
            std::uint64_t eight = 0;
            std::memcpy(&eight, text.data() + i, 8);
            if ((eight & high_bits) == 0) {
                i += 8;
                continue;
            }
        }
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < 0x80) {
            ++i;
            continue;
        }
        std::size_t more = 0;
        std::uint32_t code = c;
        if (c >= 0xc2 && c <= 0xdf) more = 1, code = c & 0x1fU;
        else if (c >= 0xe0 && c <= 0xef) more = 2, code = c & 0x0fU;
        else if (c >= 0xf0 && c <= 0xf4) more = 3, code = c & 0x07U;
        else return false;
        if (i + more >= text.size()) return false;
        for (std::size_t k = 1; k <= more; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if ((next & 0xc0U) != 0x80U) return false;
            code = (code << 6) | (next & 0x3fU);
        }
        if ((more == 2 && code < 0x800) || (more == 3 && (code < 0x10000 || code > 0x10ffff)) ||
            (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

bool Reader::next(Value& value) {
    if (at_ == end_) return refuse("not msgpack: insufficient bytes");
    const auto head = static_cast<unsigned char>(*at_++);
    const auto body = [&](Kind kind, std::size_t size) {
        if (size > left()) return refuse("not msgpack: insufficient bytes");
        value.kind = kind;
        value.text = {at_, size};
        at_ += size;
        return true;
    };
    const auto sized = [&](std::size_t width, std::uint64_t& size) {
        if (width > left()) return refuse("not msgpack: insufficient bytes");
        size = big_endian(at_, width);
        at_ += width;
        return true;
    };
    const auto container = [&](Kind kind, std::uint64_t count) {
        value.kind = kind;
        value.count = static_cast<std::uint32_t>(count);
        return true;
    };
    const auto natural = [&](std::uint64_t number) {
        value.kind = Kind::natural;
        value.number = number;
        return true;
    };
    std::uint64_t size = 0;
    if (head <= 0x7f) return natural(head);
    if (head <= 0x8f) return container(Kind::map, head & 0x0fU);
    if (head <= 0x9f) return container(Kind::array, head & 0x0fU);
    if (head <= 0xbf) return body(Kind::text, head & 0x1fU);
    if (head >= 0xe0) {
        value.kind = Kind::negative;
        value.number = static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<signed char>(head)));
        return true;
    }
    switch (head) {
        case 0xc0: value.kind = Kind::nil; return true;
        case 0xc2:
        case 0xc3:
            value.kind = Kind::boolean;
            value.number = head & 1U;
            return true;
        case 0xc4:
        case 0xc5:
        case 0xc6: return sized(std::size_t{1} << (head - 0xc4U), size) && body(Kind::bin, size);
        case 0xc7:
        case 0xc8:
        case 0xc9: return sized(std::size_t{1} << (head - 0xc7U), size) && body(Kind::ext, size + 1);
        case 0xca:
            if (!sized(4, size)) return false;
            value.kind = Kind::real;
            value.real = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(size)));
            return true;
        case 0xcb:
            if (!sized(8, size)) return false;
            value.kind = Kind::real;
            value.real = std::bit_cast<double>(size);
            return true;
        case 0xcc:
        case 0xcd:
        case 0xce:
        case 0xcf: return sized(std::size_t{1} << (head - 0xccU), size) && natural(size);
        case 0xd0:
        case 0xd1:
        case 0xd2:
        case 0xd3: {
            const std::size_t width = std::size_t{1} << (head - 0xd0U);
            if (!sized(width, size)) return false;
            const auto shift = 64 - 8 * width;
            const auto number = static_cast<std::int64_t>(size << shift) >> shift;
            value.kind = number < 0 ? Kind::negative : Kind::natural;
            value.number = static_cast<std::uint64_t>(number);
            return true;
        }
        case 0xd4:
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8: return body(Kind::ext, (std::size_t{1} << (head - 0xd4U)) + 1);
        case 0xd9:
        case 0xda:
        case 0xdb: return sized(std::size_t{1} << (head - 0xd9U), size) && body(Kind::text, size);
        case 0xdc:
        case 0xdd: return sized(std::size_t{2} << (head - 0xdcU), size) && container(Kind::array, size);
        case 0xde:
        case 0xdf: return sized(std::size_t{2} << (head - 0xdeU), size) && container(Kind::map, size);
        default: return refuse("not msgpack: parse error");
    }
}

bool Reader::skip() {
    Value value;
    for (std::uint64_t open = 1; open > 0; --open) {
        if (!next(value)) return false;
        if (value.kind == Kind::array) open += value.count;
        if (value.kind == Kind::map) open += 2 * std::uint64_t{value.count};
    }
    return true;
}

bool Reader::text(std::string_view& into) {
    Value value;
    if (!next(value)) return false;
    if (value.kind != Kind::text) return refuse("expected text");
    into = value.text;
    return true;
}

bool Reader::map(std::uint32_t& count) {
    Value value;
    if (!next(value)) return false;
    if (value.kind != Kind::map) return refuse("expected a map");
    count = value.count;
    return true;
}

Result<void> sound(std::string_view bytes, const DecodeLimits& limits) {
    if (bytes.size() > limits.bytes) {
        return fail(ErrorKind::limit, "a message of {} bytes is over the limit of {}", bytes.size(), limits.bytes);
    }
    Reader reader(bytes);
    if (!Checker(reader, limits).value(0)) return fail(std::move(reader.error()));
    if (!reader.at_end()) return fail(ErrorKind::invalid, "bytes follow the end of the message");
    return {};
}

}  // namespace berth::wire
