// SPDX-License-Identifier: Apache-2.0
#include "proxy/frames.hpp"

#include <algorithm>

namespace berth::proxy {

std::size_t Frames::read(std::string_view piece) {
    std::size_t used = 0;
    while (!piece.empty()) {
        if (!in_payload_) {
            const bool complete = take_header_byte(static_cast<unsigned char>(piece.front()));
            piece.remove_prefix(1);
            if (!complete) continue;
            left_ = length_;
            in_payload_ = left_ > 0;
            continue;
        }
        const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece.size()));
        if (is_data_) used += taken;
        left_ -= taken;
        in_payload_ = left_ > 0;
        piece.remove_prefix(taken);
    }
    return used;
}

/// Two bytes, then 0, 2 or 8 of a longer length, then 4 of the mask (RFC 6455 §5.2).
bool Frames::take_header_byte(unsigned char byte) {
    if (header_have_ == 0) {
        is_data_ = (byte & 0x08) == 0;   // opcodes 0–7 carry data, 8–15 control
        header_need_ = 2;
        length_ = 0;
    } else if (header_have_ == 1) {
        const unsigned short_length = byte & 0x7f;
        const std::size_t long_length = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
        header_need_ = 2 + long_length + ((byte & 0x80) != 0 ? 4 : 0);
        if (long_length == 0) length_ = short_length;
        mask_at_ = 2 + long_length;
    } else if (header_have_ < mask_at_) {
        length_ = (length_ << 8) | byte;
    }
    if (++header_have_ < header_need_) return false;
    header_have_ = 0;
    return true;
}

}  // namespace berth::proxy
