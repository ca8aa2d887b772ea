// SPDX-License-Identifier: Apache-2.0
// One event as the stream sends it: its name, its id when it is a fact (so that a client goes on
// from there), and a CloudEvents object as data. Pure.
#pragma once

#include <string>
#include <string_view>

#include "bus/endpoint.hpp"
#include "gateway/step.hpp"

namespace berth::gateway {

/// "id: …\nevent: claim.granted\ndata: {…}\n\n"
std::string event_of_fact(const FactRecord& record, const std::string& ledger);
/// What is no fact: progress, heartbeats, intents. Empty when it cannot be read.
std::string event_of_delivery(const bus::Delivery& delivery);
/// An event about the stream itself: "gap", "error".
std::string event_of_stream(std::string_view name, std::string_view text);

bool wants_fact(const StreamWish& wish, const View& view, const FactRecord& record);
bool wants_delivery(const StreamWish& wish, const View& view, const bus::Delivery& delivery);

}  // namespace berth::gateway
