// SPDX-License-Identifier: Apache-2.0
// A ZAP handler that says what the test wants, for a context of the test's own; and CURVE pairs.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "bus/socket.hpp"

namespace berth::testing {

inline bus::KeyPair fresh_pair() {
    std::array<char, 41> open_half{}, secret_half{};
    zmq_curve_keypair(open_half.data(), secret_half.data());
    return {open_half.data(), secret_half.data()};
}

class ZapStub {
public:
    /// `admits` is given the public key in Z85, on the stub's own thread.
    ZapStub(zmq::context_t& context, std::function<bool(const std::string&)> admits)
        : admits_(std::move(admits)), socket_(context, zmq::socket_type::rep) {
        socket_.set(zmq::sockopt::linger, 0);
        socket_.bind("inproc://zeromq.zap.01");
        thread_ = std::thread([this] { serve(); });
    }
    ~ZapStub() {
        ending_ = true;
        thread_.join();
    }
    std::atomic<int> asked{0};

private:
    void serve() {
        while (!ending_) {
            zmq_pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
            if (zmq_poll(&item, 1, 20) <= 0) continue;
            std::vector<zmq::message_t> frames;
            do {
                frames.emplace_back();
                if (zmq_msg_recv(frames.back().handle(), socket_.handle(), 0) < 0) return;
            } while (frames.back().more());
            std::array<char, 41> key{};
            if (frames.size() == 7) zmq_z85_encode(key.data(), static_cast<const std::uint8_t*>(frames[6].data()), 32);
            ++asked;
            const bool admitted = frames.size() == 7 && admits_(key.data());
            const std::array<std::string, 6> reply{"1.0", frames[1].to_string(), admitted ? "200" : "400", "",
                                                   admitted ? key.data() : "", ""};
            for (std::size_t i = 0; i < reply.size(); ++i) {
                zmq_send(socket_.handle(), reply[i].data(), reply[i].size(), i + 1 < reply.size() ? ZMQ_SNDMORE : 0);
            }
        }
    }

    std::function<bool(const std::string&)> admits_;
    zmq::socket_t socket_;
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

/// One frame, or all frames of a message, within that time; empty when nothing came.
inline std::vector<std::string> take(zmq::socket_t& socket, int within_ms) {
    std::vector<std::string> frames;
    zmq_pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, within_ms) <= 0) return frames;
    zmq::message_t frame;
    do {
        if (zmq_msg_recv(frame.handle(), socket.handle(), ZMQ_DONTWAIT) < 0) break;
        frames.push_back(frame.to_string());
    } while (frame.more());
    return frames;
}

inline bool put(zmq::socket_t& socket, const std::string& text, int within_ms = 10'000) {
    zmq_pollitem_t item{socket.handle(), 0, ZMQ_POLLOUT, 0};
    if (zmq_poll(&item, 1, within_ms) <= 0) return false;
    return zmq_send(socket.handle(), text.data(), text.size(), ZMQ_DONTWAIT) >= 0;
}

}  // namespace berth::testing
