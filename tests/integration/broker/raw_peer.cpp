// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/broker/raw_peer.hpp"

#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "base/rng.hpp"

namespace berth::testing {

namespace {

zmq::socket_t open(zmq::context_t& context, const bus::KeyPair& own, const std::string& server_key,
                   const std::string& address, zmq::socket_type type) {
    auto opened = bus::open_client(context, {.type = type, .message_max = bus::trusted_frame_max}, own, server_key, address);
    if (!opened) throw std::runtime_error(opened.error().text);
    return std::move(*opened);
}

std::string address_for(const bus::Connection& to, zmq::socket_type type) {
    if (type == zmq::socket_type::sub) return to.events_out;
    return type == zmq::socket_type::dealer ? to.requests : to.events_in;
}

}  // namespace

Instant real_now() { return RealClock{}.now(); }

RawPeer::RawPeer(Cluster& cluster, const std::string& name, Role role, zmq::socket_type type, const std::string& chosen_id)
    : name_(name) {
    const auto to = cluster.connection(name, role);
    if (chosen_id.empty()) {
        socket_ = open(context_, to.own, to.broker_key, address_for(to, type), type);
        return;
    }
    socket_ = zmq::socket_t(context_, type);   // the factory has no way to choose an id, and that is on purpose
    socket_.set(zmq::sockopt::routing_id, chosen_id);
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::curve_serverkey, to.broker_key);
    socket_.set(zmq::sockopt::curve_publickey, to.own.public_key);
    socket_.set(zmq::sockopt::curve_secretkey, to.own.secret_key);
    socket_.connect(address_for(to, type));
}

RawPeer::RawPeer(const bus::KeyPair& own, const std::string& server_key, const std::string& address, zmq::socket_type type,
                 std::string name)
    : name_(std::move(name)), socket_(open(context_, own, server_key, address, type)) {}

bool RawPeer::send(const std::vector<std::string>& frames, Duration within) {
    zmq_pollitem_t item{socket_.handle(), 0, ZMQ_POLLOUT, 0};
    if (zmq_poll(&item, 1, within.count()) <= 0) return false;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        zmq::message_t frame(frames[i]);
        const int flags = ZMQ_DONTWAIT | (i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
        if (zmq_msg_send(frame.handle(), socket_.handle(), flags) < 0) return false;
    }
    return true;
}

std::optional<std::vector<std::string>> RawPeer::receive(Duration within) {
    zmq_pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, within.count()) <= 0) return std::nullopt;
    bus::Frames frames;
    if (!bus::receive(socket_, frames)) return std::nullopt;
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < frames.count; ++i) texts.emplace_back(frames.text(i));
    return texts;
}

std::optional<Heard> RawPeer::hear(Duration within) {
    const auto end = real_now() + within;
    for (;;) {
        const auto frames = receive(std::max(end - real_now(), Duration{0}));
        if (!frames) return std::nullopt;
        if (frames->size() != 3) {
            ADD_FAILURE() << frames->size() << " frames, not three";
            return std::nullopt;
        }
        auto envelope = decode_envelope(frames->at(1), trusted_limits);
        auto stamp = decode<Stamp>(frames->at(2));
        if (!envelope || !stamp) {
            ADD_FAILURE() << (envelope ? stamp.error().text : envelope.error().text);
            return std::nullopt;
        }
        if (frames->at(0) == topic_of(event_name<ServeBeat>)) continue;
        return Heard{frames->at(0), std::move(*envelope), std::move(*stamp)};
    }
}

Envelope RawPeer::envelope(std::string_view name, Bytes data) {
    return {.id = name_ + "-" + std::to_string(++ids_) + "-" + random_hex(4), .source = "/berth/" + name_ + "/raw",
            .type = type_attribute(name), .time = real_now(), .data = std::move(data)};
}

std::string RawPeer::say(std::string_view name, const std::string& key, Bytes data, std::optional<Instant> deadline) {
    auto made = envelope(name, std::move(data));
    made.deadline = deadline;
    EXPECT_TRUE(send({topic_of(name, key), encode_envelope(made)})) << "no connection took " << name;
    return made.id;
}

bool RawPeer::serve(const std::string& service) {
    const auto id = say(request_name<ServeRequest>, "", encode(ServeRequest{service}));
    const auto reply = hear();
    return reply && reply->stamp.tag == id && !reply->envelope.error;
}

bool RawPeer::beat() {
    return send({topic_of(event_name<ServeBeat>), encode_envelope(envelope(event_name<ServeBeat>, encode(ServeBeat{})))});
}

bool RawPeer::reply(const Heard& request, Bytes data) {
    auto made = envelope(name_in_type(request.envelope.type) + ".reply", std::move(data));
    made.correlation_id = request.envelope.id;
    return send({std::string{reply_topic}, encode_envelope(made), request.stamp.tag});
}

std::uint64_t counted(RawPeer& asker, const std::string& counter) {
    const auto id = asker.say(request_name<BrokerStatusRequest>, "", encode(BrokerStatusRequest{}));
    while (const auto reply = asker.hear()) {
        if (reply->stamp.tag != id) continue;
        const auto status = decode<BrokerStatus>(reply->envelope.data);
        if (!status) break;
        for (const auto& one : status->counters) {
            if (one.name == counter) return one.value;
        }
        break;
    }
    ADD_FAILURE() << "the broker has no counter " << counter;
    return 0;
}

}  // namespace berth::testing
