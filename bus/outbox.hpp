// SPDX-License-Identifier: Apache-2.0
// What leaves by one socket, in order: gathered during a round, sent at its end, several in one frame when the
// other side takes that (batch.hpp). What the socket does not take yet, because nobody is connected or the
// queue is full, waits. Bounded; one that waited past its use is thrown away.
#pragma once

#include <array>
#include <deque>
#include <set>
#include <string>
#include <utility>

#include "base/time.hpp"
#include "bus/batch.hpp"
#include "bus/socket.hpp"
#include "events/envelope.hpp"

namespace berth::bus {

class Outbox {
public:
    static constexpr std::size_t waiting_max = 16'384;
    static constexpr std::size_t waiting_bytes_max = 128 * 1024 * 1024;
    static constexpr std::size_t gathered_max = 1'024;         // then they leave before the round ends

    struct Message {
        std::string topic;
        Bytes envelope;
        std::string tag;                                       // of a reply; else empty
        Instant until;
        std::string request;                                   // id of a request; else empty

        std::size_t size() const { return topic.size() + envelope.size(); }
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
    /// Whether who is connected now reads several messages in one frame.
    void batches(bool whether) { batches_ = whether; }

    /// False when it had to be thrown away.
    bool add(zmq::socket_t& socket, Message message, Instant now) {
        const auto size = message.size();
        if (!waiting_.empty() && waiting_.size() % gathered_max == 0) dropped_ += flush(socket, now);
        if (waiting_.size() >= waiting_max || bytes_ + size > waiting_bytes_max) return false;
        bytes_ += size;
        waiting_.push_back(std::move(message));
        return true;
    }

    /// Gives how many were thrown away because they were too old.
    std::uint64_t flush(zmq::socket_t& socket, Instant now) {
        while (!waiting_.empty()) {
            if (waiting_.front().until <= now) {
                ++dropped_;
                forget(1);
                continue;
            }
            const auto sent = paused_ ? 0 : pass(socket, now);
            if (sent == 0) break;
            forget(sent);
        }
        return std::exchange(dropped_, 0);
    }

private:
    void forget(std::size_t count) {
        for (; count > 0; --count) {
            bytes_ -= waiting_.front().size();
            waiting_.pop_front();
        }
    }
    /// Sends the first, or the first few as one; gives how many. None of them is too old.
    std::size_t pass(zmq::socket_t& socket, Instant now) {
        if (batches_ && waiting_.size() > 1) {
            batch_.clear();
            for (const auto& message : waiting_) {
                if (message.until <= now || message.size() > batch_message_max || !batch_.has_room_for(message.size() + message.tag.size())) break;
                if (message.tag.empty()) batch_.add(message.topic, message.envelope);
                else batch_.add(message.topic, message.envelope, message.tag);
            }
            if (batch_.count() > 1) {
                zmq::message_t topic(batch_topic);
                zmq::message_t body(batch_.body());
                return send_all(socket, std::array{&topic, &body}) == Sent::yes ? batch_.count() : 0;
            }
        }
        const auto& message = waiting_.front();
        zmq::message_t topic(message.topic);
        zmq::message_t envelope(message.envelope);
        if (message.tag.empty()) return send_all(socket, std::array{&topic, &envelope}) == Sent::yes ? 1 : 0;
        zmq::message_t tag(message.tag);
        return send_all(socket, std::array{&topic, &envelope, &tag}) == Sent::yes ? 1 : 0;
    }

    std::deque<Message> waiting_;
    std::size_t bytes_ = 0;
    std::uint64_t dropped_ = 0;
    bool paused_ = false;
    bool batches_ = false;
    Batch batch_;
};

}  // namespace berth::bus
