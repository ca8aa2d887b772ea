// SPDX-License-Identifier: Apache-2.0
// What travels on the simulated net. Its body is encoded and decoded by the real codec; a large run
// for figures (script/sim) may hand values over as they are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "base/result.hpp"
#include "events/catalog.hpp"
#include "events/codec.hpp"

namespace berth::sim {

BERTH_ENUM(LetterKind, event, request, reply)

struct Letter {
    std::string from;
    std::string to;                       // an address: "allocator", "h-1"
    std::string_view name;                // catalog name; of a reply, that of its request
    LetterKind kind = LetterKind::event;
    std::uint64_t id = 0;                 // of an event or a request; a reply bears its request's
    Instant deadline;                     // of a request
    std::shared_ptr<const Bytes> data;
    std::shared_ptr<const void> value;    // instead of data
    std::string process;                  // of a request that was received: by whom
    std::string tag;                      // … and what its reply must bear, for the broker
    std::optional<Error> error;           // of a reply
    std::optional<Reason> reason;         // of a fact or an intent
    std::optional<std::string> ledger;    // of a fact, with its position
    std::optional<Position> position;
    std::string cause;
    std::string key;                      // the host in its topic
    Instant time;                         // when it was said, by its sender's clock; of a fact: when it was decided

    template <class T>
    T as() const {
        if (value) return *static_cast<const T*>(value.get());
        auto decoded = decode<T>(*data, trusted_limits);
        check(decoded.has_value(), "letters of the world are well formed");
        return std::move(*decoded);
    }
    /// The same, without a copy where the value itself is at hand.
    template <class T>
    std::shared_ptr<const T> share() const {
        if (value) return std::static_pointer_cast<const T>(value);
        return std::make_shared<const T>(as<T>());
    }
};
using LetterPtr = std::shared_ptr<const Letter>;

/// What letters of T say: in bytes, or as it is.
template <class T>
struct Written {
    std::shared_ptr<const Bytes> data;
    std::shared_ptr<const T> value;
};

/// What the bus says itself begins so: the request may or may not have been done.
inline constexpr std::string_view error_of_bus = "bus: ";
inline bool is_of_bus(const Error& error) { return error.text.starts_with(error_of_bus); }

/// The role that the key of this address has: "h-1" is a host, "u-1" a client.
inline Role role_of(const std::string& address) {
    if (address == "allocator") return Role::allocator;
    if (address == "scaler") return Role::scaler;
    if (address == "reaper") return Role::reaper;
    return address.starts_with("h-") ? Role::host : Role::client;
}

}  // namespace berth::sim
