// SPDX-License-Identifier: Apache-2.0
// A letter in the form that it has on the wire: topic, envelope and what third frame comes with it,
// made and read by the real codec (docs/bus.md).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tests/sim/letter.hpp"

namespace berth::sim {

struct Parcel {
    std::string topic;
    std::shared_ptr<const Bytes> envelope;
    std::string tag;                      // third frame of a worker's reply
    std::uint64_t id = 0;                 // the letter's, for the rules alone, as are the next two: nobody routes by it
    Instant deadline;                     // of a request, by its sender's clock
    Duration wait{0};                     // how long its sender waits
};

/// `host` is the key of a message that concerns one host; `skew` is how wrong its sender's clock is.
Parcel pack(const Letter& letter, const std::string& host, Instant now, Duration skew = Duration{0});
/// What the receiver makes of it: as bus::Endpoint does, from the envelope and the broker's stamp
/// alone. An error says why it refuses the message.
Result<Letter> unpack(const Parcel& parcel, const Stamp& stamp, const std::string& receiver);

}  // namespace berth::sim
