// SPDX-License-Identifier: Apache-2.0
// Reads msgpack where it lies: nothing is copied, nothing allocated by what the bytes promise. First the
// whole is checked once (sound()), then values are taken one after another. A reader that refused
// something says why and takes nothing more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "events/codec.hpp"

namespace berth::wire {

enum class Kind { nil, boolean, natural, negative, real, text, bin, ext, array, map };

/// One value, or the head of a container whose entries follow.
struct Value {
    Kind kind = Kind::nil;
    std::uint64_t number = 0;             // of a natural; of a negative as two's complement; of a boolean 0 or 1
    double real = 0;
    std::string_view text;                // of text and bin
    std::uint32_t count = 0;              // of a container: its entries
};

class Reader {
public:
    explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    /// False: refused, see error().
    bool next(Value& value);
    /// The next value and all that is in it; as bytes.
    bool skip();
    bool slice(std::string_view& bytes) {
        const char* const begin = at_;
        if (!skip()) return false;
        bytes = {begin, static_cast<std::size_t>(at_ - begin)};
        return true;
    }
    /// Whether the next value was nil; else nothing is taken.
    bool take_nil() {
        if (at_ == end_ || static_cast<unsigned char>(*at_) != 0xc0) return false;
        ++at_;
        return true;
    }
    bool text(std::string_view& into);
    bool map(std::uint32_t& count);

    bool at_end() const { return at_ == end_; }
    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

    bool refuse(ErrorKind kind, std::string why) {
        error_ = Error{kind, std::move(why)};
        return false;
    }
    bool refuse(std::string why) { return refuse(ErrorKind::invalid, std::move(why)); }
    Error& error() { return error_; }

private:
    const char* at_;
    const char* end_;
    Error error_;
};

/// One whole value, with nothing after it, within the limits; maps have text keys, each once; text is UTF-8.
Result<void> sound(std::string_view bytes, const DecodeLimits& limits);

bool is_utf8(std::string_view text);

}  // namespace berth::wire
