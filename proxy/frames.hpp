// SPDX-License-Identifier: Apache-2.0
// Reads along with one direction of a WebSocket, as it passes by in pieces of any size. Tells which
// of it is use: the payload of data frames, and not ping, pong and close (design §9); and whether a
// frame of ours could stand here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace berth::proxy {

class Frames {
public:
    /// How many payload bytes of data frames are in the next piece of the stream.
    std::size_t read(std::string_view piece);
    /// The last frame is whole and the next has not begun.
    bool between() const { return !in_payload_ && header_have_ == 0; }

private:
    bool take_header_byte(unsigned char byte);

    std::size_t header_have_ = 0;
    std::size_t header_need_ = 2;
    std::size_t mask_at_ = 2;       // where the mask begins, after the length
    std::uint64_t length_ = 0;      // of the frame's payload
    std::uint64_t left_ = 0;        // of it, still to come
    bool is_data_ = false;
    bool in_payload_ = false;
};

}  // namespace berth::proxy
