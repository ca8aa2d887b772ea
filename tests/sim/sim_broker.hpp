// SPDX-License-Identifier: Apache-2.0
// The broker's core in the world, between any two processes, with the shell's way to carry out what it
// decides (broker/process.cpp). It keeps nothing: when it is killed, connections end, workers register
// again, and what was under way ends as "unavailable" or at its deadline.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/sim/carried.hpp"
#include "tests/sim/sim_connection.hpp"

namespace berth::sim {

class SimBroker final : public Carrier {
public:
    explicit SimBroker(World& world);

    void begin();
    void crash();

    // ---- to the world
    void connect(const std::string& process, const std::string& address, Actor& actor) override;
    void disconnect(const std::string& process, bool noticed) override;
    void request(const std::string& process, Letter letter) override;
    void publish(const std::string& process, Letter letter, const std::string& host) override;
    void reply(Letter letter) override;
    void serve(const std::string& process) override;

    // ---- to endpoints
    /// The route of a new connection; empty when there is no broker.
    std::string accept(SimConnection& endpoint);
    void arrive(const std::string& route, const broker::Sender& sender, broker::Channel channel, const Parcel& parcel);
    Duration pause_to_reconnect();
    void refused(const Parcel& parcel, const Stamp& stamp, const std::string& receiver);

    /// Someone says what their role may not; to which host, if any.
    void forge(const std::string& process, const std::string& host);
    std::function<void(const Carried&)> on_carry;

private:
    void tick(std::uint64_t life);
    void carry_out(broker::Decisions decisions, const Parcel* parcel);
    void to_peer(const std::string& route, const Parcel& parcel, const Stamp& stamp);
    void to_subscribers(const Parcel& parcel, const Stamp& stamp);
    void say(const std::string& route, const std::string& name, const Bytes& data);
    void answer(const std::string& route, const std::string& request_id, const std::string& name, const Result<Bytes>& body);
    void deliver(SimConnection& to, const Parcel& parcel, const Stamp& stamp);
    void tell(Carried what);
    Parcel own_parcel(const std::string& topic, Envelope envelope);
    SimConnection* endpoint_of(const std::string& process);

    World& world_;
    Rng rng_;
    broker::State state_;
    std::map<std::string, std::unique_ptr<SimConnection>> endpoints_;   // by process; of every life
    std::map<std::string, SimConnection*> routes_;                     // null: its other end is silent, or gone
    bool up_ = false;
    std::uint64_t life_ = 0;
    std::uint64_t connections_ = 0;
    std::uint64_t own_ids_ = 0;
    std::uint64_t forged_ = 0;
};

}  // namespace berth::sim
