// SPDX-License-Identifier: Apache-2.0
// A broker's state on a table, and peers that hand messages to it: one line for each.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "broker/step.hpp"
#include "events/catalog.hpp"
#include "events/codec.hpp"

namespace berth::broker {

inline std::string route_of(const std::string& name) { return std::string{'\0'} + name; }

class Desk {
public:
    explicit Desk(Policy policy = {}) {
        state.policy = std::move(policy);
        state.boot = "b00t";
        state.policy.beat_period = Duration{1'000'000'000};   // beats only where a test is about them
    }

    State state;
    Instant now{Duration{1'000'000}};
    Sender allocator{"allocator", Role::allocator};
    Sender scaler{"scaler", Role::scaler};
    Sender reaper{"reaper", Role::reaper};
    Sender gateway{"gateway", Role::gateway};
    Sender robot{"robot", Role::client};
    Sender tap{"tap", Role::tap};
    Sender h1{"h-1", Role::host};
    Sender h2{"h-2", Role::host};

    std::string last_id;

    Envelope envelope(const Sender& from, std::string_view name, Bytes data = {}) {
        last_id = from.name + "-" + std::to_string(++ids_);
        return {.id = last_id, .source = "/berth/" + from.name + "/x", .type = type_attribute(name), .time = now,
                .data = std::move(data)};
    }
    Decisions give(const Sender& from, const std::string& topic, const Bytes& bytes, Channel channel = Channel::requests,
                   std::string route = {}) {
        Arrival arrival{.channel = channel, .sender = from, .frames = 2, .topic = topic, .envelope = bytes};
        if (channel == Channel::requests) arrival.route = route.empty() ? route_of(from.name) : std::move(route);
        return step(state, arrival, now);
    }
    Decisions request(const Sender& from, std::string_view name, const std::string& key = {},
                      std::optional<Instant> deadline = std::nullopt) {
        auto made = envelope(from, name);
        made.deadline = deadline;
        return give(from, topic_of(name, key), encode_envelope(made));
    }
    Decisions publish(const Sender& from, std::string_view name, const std::string& key = {}) {
        const bool host = from.role == Role::host;
        return give(from, topic_of(name, key), encode_envelope(envelope(from, name)),
                    host ? Channel::requests : Channel::events);
    }
    Decisions serve(const Sender& from, const std::string& service, std::string route = {}) {
        const auto bytes = encode_envelope(envelope(from, "broker.serve", encode(ServeRequest{service})));
        return give(from, "broker.serve.", bytes, Channel::requests, std::move(route));
    }
    Decisions beat(const Sender& from, std::string route = {}) {
        return give(from, "broker.beat.", encode_envelope(envelope(from, "broker.beat")), Channel::requests,
                    std::move(route));
    }
    Decisions reply(const Sender& from, const std::string& tag, const Bytes& bytes = "\x80", std::string route = {}) {
        Arrival arrival{.sender = from, .route = route.empty() ? route_of(from.name) : std::move(route), .frames = 3,
                        .topic = reply_topic, .envelope = bytes, .tag = tag};
        return step(state, arrival, now);
    }
    std::uint64_t counted(Count what) { return state.count(what); }

private:
    std::uint64_t ids_ = 0;
};

/// The decisions of one kind.
template <class T>
std::vector<T> all(const Decisions& decisions) {
    std::vector<T> found;
    for (const auto& decision : decisions) {
        if (const auto* one = std::get_if<T>(&decision)) found.push_back(*one);
    }
    return found;
}

/// The one decision of that kind; fails the test (and gives an empty one) when there is not exactly one.
template <class T>
T only(const Decisions& decisions) {
    const auto found = all<T>(decisions);
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? T{} : found.front();
}

}  // namespace berth::broker
