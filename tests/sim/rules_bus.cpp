// SPDX-License-Identifier: Apache-2.0
// Rules of what the broker carried: a second reading of docs/bus.md, kept beside the wire.
#include <fmt/format.h>

#include <deque>

#include "broker/policy.hpp"
#include "events/topic.hpp"
#include "tests/sim/rules.hpp"

namespace berth::sim {

namespace {

// "Exactly one of these becomes of each request that reached the broker": the reply, or an error of its own.
struct RequestHasOneOutcome final : Rule {
    RequestHasOneOutcome() : Rule("one outcome") {}
    void carried(const Scene& scene, const Carried& what) override {
        if (what.kind == CarriedKind::forgot) {
            look_for_forgotten(scene);
            open_.clear();
        } else if (what.kind == CarriedKind::asked) {
            open_[{what.id, std::string{what.route}}].push_back(what.at + what.wait);    // copies of it have an outcome each
        } else if (what.kind == CarriedKind::answered) {
            const auto at = open_.find({what.id, std::string{what.route}});
            require(at != open_.end(), fmt::format("an answer to request {} went to {}, which has asked no such thing, or has its answer", what.id, what.route));
            if (at == open_.end()) return;
            at->second.pop_front();
            if (at->second.empty()) open_.erase(at);
        }
    }
    void healed(const Scene& scene) override { look_for_forgotten(scene); }

private:
    void look_for_forgotten(const Scene& scene) {
        for (const auto& [name, deadlines] : open_) {
            require(deadlines.back() + patience > scene.world.now, fmt::format("request {} of {} had no answer at its deadline", name.first, name.second));
        }
    }
    static constexpr Duration patience{200};   // a few ticks of the broker
    std::map<std::pair<std::uint64_t, std::string>, std::deque<Instant>> open_;
};

struct NothingPassesLate final : Rule {
    NothingPassesLate() : Rule("deadline") {}
    void carried(const Scene&, const Carried& what) override {
        if (what.kind == CarriedKind::asked) latest_[what.id] = what.deadline + (role_of(std::string{what.from}) == Role::host ? broker::Policy{}.clock_skew_max : Duration{0});
        if (what.kind == CarriedKind::given) require(what.at < latest_.at(what.id), fmt::format("request {} was passed on after its deadline", what.id));
    }

private:
    std::map<std::uint64_t, Instant> latest_;
};

// A worker that fell silent gets no more, and never more than one connection serves for it.
struct WorkersLive final : Rule {
    WorkersLive() : Rule("worker") {}
    void carried(const Scene&, const Carried& what) override {
        if (what.kind == CarriedKind::forgot) heard_.clear();
        if (what.kind == CarriedKind::heard) heard_[std::string{what.route}] = {what.at, role_of(std::string{what.from}) == Role::host};
        if (what.kind != CarriedKind::given) return;
        const auto at = heard_.find(std::string{what.route});
        require(at != heard_.end(), fmt::format("request {} went to {}, who never registered", what.id, what.route));
        if (at != heard_.end()) {
            const auto [since, is_host] = at->second;
            require(what.at - since <= (is_host ? broker::host_silence_max : policy_.worker_silence_max) + broker::tick_period,
                    fmt::format("request {} went to {}, who has been silent since {}", what.id, what.route, to_rfc3339(since)));
        }
    }

private:
    broker::Policy policy_;
    std::map<std::string, std::pair<Instant, bool>> heard_;   // by route; whether it is a host's
};

struct OnlyWhatRolesMay final : Rule {
    OnlyWhatRolesMay() : Rule("I23") {}
    void carried(const Scene&, const Carried& what) override {
        if ((what.kind != CarriedKind::given && what.kind != CarriedKind::told) || what.to.empty()) return;
        const auto topic = parse_topic(what.topic);
        const auto* row = !topic ? nullptr : what.kind == CarriedKind::given ? find_request_row(topic->name) : find_event_row(topic->name);
        const auto from = role_of(std::string{what.from});
        const auto to = role_of(std::string{what.to});
        const auto text = [&] { return fmt::format("{} of {} reached {}", what.topic, what.from, what.to); };
        if (row == nullptr || !row->senders.has(from) || !row->receivers.has(to)) return require(false, text());
        if (row->routing == Routing::plain) return;
        if (from == Role::host && topic->key != what.from) require(false, text());      // hosts speak of themselves
        if (to == Role::host && topic->key != what.to) require(false, text());          // … and hear of themselves
    }
};

// Whatever version of its program a process is of, the others can read it.
struct AllIsRead final : Rule {
    AllIsRead() : Rule("versions") {}
    void carried(const Scene&, const Carried& what) override {
        require(what.kind != CarriedKind::refused, fmt::format("{} could not read {} of {}", what.to, what.topic, what.from));
    }
};

}  // namespace

Rules bus_rules() { return rules_of<RequestHasOneOutcome, NothingPassesLate, WorkersLive, OnlyWhatRolesMay, AllIsRead>(); }

}  // namespace berth::sim
