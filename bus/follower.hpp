// SPDX-License-Identifier: Apache-2.0
// Keeps a process in step with the ledger (I21): the whole view first, then every fact by its
// position. A gap, another ledger, a head beacon that stays ahead or an answer from the past makes
// what is known void: the process is told so, and the view is asked for again. Each is counted.
//
//   asking ──(view)──► following ──(gap · other ledger · behind)──► asking
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bus/endpoint.hpp"
#include "bus/loop.hpp"
#include "events/query.hpp"

namespace berth::bus {

BERTH_ENUM(FactPlace,
           next,      // the one that follows
           known,     // heard before
           kept,      // the view is not here yet; it is kept until then
           gap,       // at least one is missing, or the ledger went back in time
           foreign)   // of another ledger

/// The order of facts, apart from sockets. Positions alone decide; nothing is trusted to arrive.
class FactOrder {
public:
    static constexpr std::size_t kept_max = 8192;

    void ask_again();                                          // from following to asking
    bool following() const { return following_; }
    Position position() const { return position_; }

    /// A view at this position, in this term. Gives the kept facts that follow it, or an error when they do not.
    Result<std::vector<FactRecord>> begin(const std::string& ledger, Position position, Term term);
    FactPlace place(const std::string& ledger, const FactRecord& record);
    /// True when this beacon shows that facts were lost, or that the ledger went back in time: either
    /// had a whole beat's time to be otherwise, since views and beacons come by different ways.
    bool is_behind(const LedgerHead& head);

private:
    void note_term(const FactRecord& record);

    bool following_ = false;
    std::string ledger_;
    Position position_;
    Term term_;                                                // that the last fact was of
    std::optional<Position> seen_ahead_;                       // by the last beacon
    bool seen_below_ = false;                                  // the last beacon was
    std::deque<std::pair<std::string, FactRecord>> kept_;
};

class Follower {
public:
    struct Handlers {
        std::function<void(ViewReply)> on_view;                // what was known before is void
        std::function<void(const FactRecord&)> on_fact;        // the next one
        std::function<void(const std::string& why)> on_lost = {};    // act on nothing until on_view
        std::function<void(const LedgerHead&)> on_head = {};   // the allocator's beacon, every second
    };
    struct Counters {
        std::uint64_t views = 0, facts = 0, gaps = 0, foreign = 0, behind = 0, refused = 0;
    };

    /// Subscribes at once; asks for the view when the loop runs. Endpoint and loop outlive it.
    Follower(Loop& loop, Endpoint& endpoint, Handlers handlers);
    ~Follower();
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

    bool following() const { return order_.following(); }
    Position position() const { return order_.position(); }
    const Counters& counters() const { return counters_; }

private:
    void ask();
    void ask_later();
    void begin(ViewReply reply);
    void hear_fact(const Delivery& delivery);
    void hear_head(const Delivery& delivery);
    void lose(const std::string& why, std::uint64_t& counter);

    Loop& loop_;
    Endpoint& endpoint_;
    Handlers handlers_;
    FactOrder order_;
    Counters counters_;
    Duration pause_;
    std::optional<TimerId> timer_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// The fact in a delivery, with its ledger's id; an error when it is none or not the allocator's.
Result<std::pair<std::string, FactRecord>> fact_in(const Delivery& delivery);

}  // namespace berth::bus
