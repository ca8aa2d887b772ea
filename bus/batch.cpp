// SPDX-License-Identifier: Apache-2.0
#include "bus/batch.hpp"

namespace berth::bus {

void Batch::add_frame(std::string_view frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    const std::array<char, 4> head{static_cast<char>(size >> 24U), static_cast<char>(size >> 16U), static_cast<char>(size >> 8U),
                                   static_cast<char>(size)};
    body_.append(head.data(), head.size());
    body_.append(frame);
}

std::optional<Parts> next_of_batch(std::string_view& body) {
    if (body.empty()) return std::nullopt;
    auto rest = body;
    Parts parts{.count = static_cast<unsigned char>(rest.front())};
    rest.remove_prefix(1);
    if (parts.count < 2 || parts.count > batch_frames_max) return std::nullopt;
    for (std::size_t i = 0; i < parts.count; ++i) {
        if (rest.size() < 4) return std::nullopt;
        std::uint32_t size = 0;
        for (std::size_t k = 0; k < 4; ++k) size = (size << 8U) | static_cast<unsigned char>(rest[k]);
        rest.remove_prefix(4);
        if (size > rest.size()) return std::nullopt;
        parts.frames[i] = rest.substr(0, size);
        rest.remove_prefix(size);
    }
    body = rest;
    return parts;
}

bool is_batch(std::string_view body) {
    std::size_t count = 0;
    while (next_of_batch(body)) {
        if (++count > batch_messages_max) return false;
    }
    return body.empty();
}

}  // namespace berth::bus
