// SPDX-License-Identifier: Apache-2.0
// What waits for a connection, in order: messages that the socket does not take yet, because nobody is
// connected or the queue is full. Bounded; one that waited past its use is thrown away.
#pragma once

#include <array>
#include <deque>
#include <set>
#include <string>

#include "base/time.hpp"
#include "bus/socket.hpp"
#include "events/envelope.hpp"

namespace berth::bus {

class Outbox {
public:
    static constexpr std::size_t waiting_max = 16'384;
    static constexpr std::size_t waiting_bytes_max = 128 * 1024 * 1024;

    struct Message {
        std::string topic;
        Bytes envelope;
        std::string tag;                                       // of a reply; else empty
        Instant until;
        std::string request;                                   // id of a request; else empty
    };

    bool empty() const { return waiting_.empty(); }
    /// The requests that no connection took yet.
    std::set<std::string> requests() const {
        std::set<std::string> ids;
        for (const auto& message : waiting_) ids.insert(message.request);
        return ids;
    }
    void pause() { paused_ = true; }
    void resume() { paused_ = false; }

    /// False when it had to be thrown away.
    bool send(zmq::socket_t& socket, Message message, Instant now) {
        flush(socket, now);
        if (waiting_.empty() && !paused_ && pass(socket, message)) return true;
        const auto size = message.topic.size() + message.envelope.size();
        if (waiting_.size() >= waiting_max || bytes_ + size > waiting_bytes_max) return false;
        bytes_ += size;
        waiting_.push_back(std::move(message));
        return true;
    }

    /// Gives how many were thrown away because they were too old.
    std::uint64_t flush(zmq::socket_t& socket, Instant now) {
        std::uint64_t dropped = 0;
        while (!waiting_.empty()) {
            const bool late = waiting_.front().until <= now;
            if (!late && (paused_ || !pass(socket, waiting_.front()))) break;
            dropped += late ? 1 : 0;
            bytes_ -= waiting_.front().topic.size() + waiting_.front().envelope.size();
            waiting_.pop_front();
        }
        return dropped;
    }

private:
    static bool pass(zmq::socket_t& socket, const Message& message) {
        zmq::message_t topic(message.topic);
        zmq::message_t envelope(message.envelope);
        if (message.tag.empty()) return send_all(socket, std::array{&topic, &envelope}) == Sent::yes;
        zmq::message_t tag(message.tag);
        return send_all(socket, std::array{&topic, &envelope, &tag}) == Sent::yes;
    }

    std::deque<Message> waiting_;
    std::size_t bytes_ = 0;
    bool paused_ = false;
};

}  // namespace berth::bus
