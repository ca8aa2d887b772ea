// SPDX-License-Identifier: Apache-2.0
#include "broker/zap.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "base/clock.hpp"

namespace berth::broker {

namespace {

constexpr std::size_t request_frames = 7;   // version, id, domain, address, identity, mechanism, key
constexpr long look_up_ms = 100;

std::string z85_of(const zmq::message_t& key) {
    if (key.size() != 32) return {};
    std::array<char, 41> text{};
    if (zmq_z85_encode(text.data(), static_cast<const std::uint8_t*>(key.data()), key.size()) == nullptr) return {};
    return text.data();
}

}  // namespace

bool is_admitted(const bus::Peer& peer, std::string_view domain) {
    if (domain == requests_domain) return true;
    if (domain == events_domain) return peer.role != Role::host;
    if (domain == hosts_domain) return peer.role == Role::host || peer.role == Role::tap;
    if (domain == allocator_domain) return peer.role == Role::allocator;
    return false;
}

Zap::Zap(zmq::context_t& context, PeerBook& book) : book_(book), socket_(context, zmq::socket_type::rep) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.bind("inproc://zeromq.zap.01");
    thread_ = std::thread([this] { serve(); });
}

Zap::~Zap() {
    ending_ = true;
    thread_.join();
}

void Zap::serve() noexcept {
    while (!ending_) {
        zmq_pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
        const auto ready = zmq_poll(&item, 1, look_up_ms);
        check(ready >= 0 || errno == EINTR, "the ZAP thread lives as long as the broker");
        if (ready > 0) answer();
    }
}

void Zap::answer() {
    std::vector<zmq::message_t> frames;
    do {
        frames.emplace_back();
        check(zmq_msg_recv(frames.back().handle(), socket_.handle(), 0) >= 0, "the ZAP thread can read its socket");
    } while (frames.back().more() && frames.size() <= request_frames);

    std::string status = "400";
    std::string text = "refused";
    std::string key;
    if (frames.size() == request_frames && frames[0].to_string_view() == "1.0" &&
        frames[5].to_string_view() == "CURVE") {
        key = z85_of(frames[6]);
        auto peer = book_.find(key);
        if (!peer && book_.refresh()) peer = book_.find(key);
        if (!peer) {
            status = "300";  // it may be enrolled soon: the client tries again by itself
        } else if (frames[2].to_string_view() == events_domain && book_.is_barred(key, RealClock{}.now())) {
            text = "barred";
        } else if (is_admitted(*peer, frames[2].to_string_view())) {
            status = "200";
            text = "OK";
        }
    }
    if (status != "200") {
        key.clear();
        ++refused_;
    }
    const std::string id = frames.size() > 1 ? frames[1].to_string() : std::string{};
    const std::array<std::string, 6> reply{"1.0", id, status, text, key, ""};
    for (std::size_t i = 0; i < reply.size(); ++i) {
        zmq::message_t frame(reply[i]);
        const auto sent = zmq_msg_send(frame.handle(), socket_.handle(), i + 1 < reply.size() ? ZMQ_SNDMORE : 0);
        check(sent >= 0, "the ZAP thread can write to its socket");
    }
}

}  // namespace berth::broker
