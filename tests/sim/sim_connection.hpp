// SPDX-License-Identifier: Apache-2.0
// A process's connection to the broker: the twin of what bus::ZmqEndpoint does with its sockets. Without a
// broker what it sends waits; with a connection that ends, what was asked on it ends as "unavailable";
// a worker registers, beats, and registers again.
#pragma once

#include <deque>
#include <set>
#include <string>

#include "broker/step.hpp"
#include "tests/sim/versions.hpp"
#include "tests/sim/world.hpp"

namespace berth::sim {

class SimBroker;

class SimConnection {
public:
    SimConnection(World& world, SimBroker& broker, std::string process, std::string address);

    /// A life of its process begins, and ends.
    void begin(Actor& actor);
    /// It serves requests in this life: registers, and stays registered.
    void serve();
    void end();
    void broker_began();
    void broker_died();
    struct Outgoing {
        Parcel parcel;
        broker::Channel channel = broker::Channel::requests;
        Instant until;
        bool request = false;
    };
    void send(Outgoing message);
    void take(const Parcel& parcel, const Stamp& stamp);

    bool up() const { return actor_ != nullptr; }
    const std::string& address() const { return address_; }
    const std::string& route() const { return route_; }    // empty when not connected
    const broker::Sender& sender() const { return sender_; }

private:
    enum class Registration { none, asking, registered };

    void choose_version();
    void connect();
    void transmit(const Outgoing& message);
    void register_service(std::uint64_t life);
    void beat(std::uint64_t life);

    World& world_;
    SimBroker& broker_;
    std::string process_;
    std::string address_;
    broker::Sender sender_;
    std::string service_;                 // that it serves; empty: none
    Actor* actor_ = nullptr;
    Rng rng_;
    Version version_ = Version::current;  // of its program; a new life may be another
    std::string route_;
    std::uint64_t life_ = 0;
    std::deque<Outgoing> waiting_;
    std::set<std::uint64_t> asked_;       // on this connection
    Registration registration_ = Registration::none;
    bool serving_ = false;
    Instant broker_heard_;
};

}  // namespace berth::sim
