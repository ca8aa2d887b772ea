// SPDX-License-Identifier: Apache-2.0
// Several messages in one frame: what one side has for another at the end of a round travels together, is
// encrypted once and wakes the receiver once. On the wire: topic "batch." and a body; in it, for each message,
// the number of its frames (one byte), then each frame as its size (four bytes, the highest first) and its bytes.
// An empty body says "send me such", and is answered in kind by who does (docs/bus.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::bus {

inline constexpr std::string_view batch_topic = "batch.";
inline constexpr std::size_t batch_bytes_max = 256 * 1024;         // of a body that is made here
inline constexpr std::size_t batch_message_max = 32 * 1024;        // larger ones travel alone
inline constexpr std::size_t batch_messages_max = 4'096;           // in one body; one with more is refused
inline constexpr std::size_t batch_frames_max = 3;                 // of one message

/// One message in a body; the views live as long as it.
struct Parts {
    std::array<std::string_view, batch_frames_max> frames;
    std::size_t count = 0;
};

/// A body that grows.
class Batch {
public:
    bool empty() const { return count_ == 0; }
    std::size_t count() const { return count_; }
    const std::string& body() const { return body_; }
    bool has_room_for(std::size_t bytes) const {
        return count_ < batch_messages_max && body_.size() + bytes + 1 + 4 * batch_frames_max <= batch_bytes_max;
    }
    template <class... Frames>
    void add(const Frames&... frames) {
        static_assert(sizeof...(frames) <= batch_frames_max);
        body_.push_back(static_cast<char>(sizeof...(frames)));
        (add_frame(frames), ...);
        ++count_;
    }
    void clear() {
        body_.clear();
        count_ = 0;
    }

private:
    void add_frame(std::string_view frame);

    std::string body_;
    std::size_t count_ = 0;
};

/// Takes the next message off a body. Empty: there is none, or `body` is no batch from here on (then it is
/// not empty either).
std::optional<Parts> next_of_batch(std::string_view& body);
/// Whether the whole is a batch within the bounds: looked at before any of it is taken, so that one that was
/// torn does nothing.
bool is_batch(std::string_view body);

}  // namespace berth::bus
