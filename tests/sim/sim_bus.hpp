// SPDX-License-Identifier: Apache-2.0
// Twin of a process's endpoint, for one life: what the process publishes, asks and answers becomes letters of
// the world, and letters that come are deliveries in a round of its loop. The process may die at any effect:
// then that one and all later ones are not made.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bus/endpoint.hpp"
#include "tests/sim/sim_loop.hpp"

namespace berth::sim {

class SimBus final : public bus::Endpoint {
public:
    /// `dies` is asked before each effect.
    SimBus(SimLoop& loop, bus::Peer peer, std::function<bool()> dies);

    void publish_as(std::string_view name, const bus::Outgoing& body, const bus::Note& note) override;
    void publish_fact(const std::string& ledger, const FactRecord& record) override;
    void subscribe(std::string_view name, OnDelivery handler) override;
    void request_as(std::string_view name, const bus::Outgoing& body, Duration timeout, const bus::Note& note, OnReply handler,
                    OnAbsent absent) override;
    void serve_as(std::string_view name, OnRequest handler) override;
    void when_serving(std::function<void()> then) override;
    const bus::Peer& peer() const override { return peer_; }

    /// An event or a request that the net brought.
    void receive(const LetterPtr& letter);

    // ---- for the rules
    /// What was asked, and what came of it, right before the process hears of it.
    std::function<void(const Letter& request, const Result<Letter>& outcome)> on_answer;

private:
    Letter letter_of(std::string_view name, const bus::Outgoing& body) const;
    void take_event(const LetterPtr& letter);
    void take_request(const LetterPtr& letter);

    SimLoop& loop_;
    World& world_;
    bus::Peer peer_;
    std::function<bool()> dies_;
    std::vector<std::pair<std::string, OnDelivery>> subscriptions_;
    std::map<std::string, OnRequest, std::less<>> served_;
};

}  // namespace berth::sim
