// SPDX-License-Identifier: Apache-2.0
// The one shell around every core. What comes in during a round is stepped at once; what was decided
// leaves at the round's end, in one written order, after all that must last is durable (I5):
//
//   requests, events, answers, ticks ─► step … step ─► keep ─► replies ─► events ─► asks ─► calls
//                                        (one round)   one durable write; the loop goes on meanwhile
//
// A process derives from it and says what is special: which inputs it has (serve, hear, tick, follow), how it
// keeps, and how each kind of effect leaves: `void out(Effect)` for all that stand in its Decisions. Its
// Decisions say in_order(): the lists in the order above; and durable(): whether anything in them must be kept.
// A keep that fails ends the process: nothing of that batch, or of a later one, was let out, and the next life
// recovers from what is durable. Everything on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.hpp"
#include "base/diagnostics.hpp"
#include "bus/endpoint.hpp"
#include "bus/follower.hpp"
#include "bus/loop.hpp"

namespace berth::shell {

using CallerId = std::uint64_t;

/// Requests that were stepped and have no reply yet; more are refused as `limit`.
inline constexpr std::size_t callers_max = 65'536;

template <class Self, class State, class Input, class Decisions>
class Shell {
public:
    Shell(const Shell&) = delete;
    Shell& operator=(const Shell&) = delete;

    const State& state() const { return state_; }
    /// Why the loop was stopped from inside, if it was.
    const std::optional<Error>& failure() const { return failure_; }

protected:
    /// Loop and endpoint outlive it.
    Shell(bus::Loop& loop, bus::Endpoint& endpoint, State state) : loop_(loop), endpoint_(endpoint), state_(std::move(state)) {
        loop_.after_each_round([this] { end_round(); });
    }
    ~Shell() = default;

    // ---- in

    void feed(Input input) {
        if (failure_) return;
        merge(pending_, step(state_, std::move(input), loop_.now()));
    }
    /// `make(caller, body, delivery)` is the input; the core's reply to that caller is the answer.
    template <class T, class Make>
    void serve(Make make) {
        endpoint_.serve<T>([this, make](T body, const bus::Delivery& delivery, bus::Responder to) {
            if (callers_.size() >= callers_max) {
                return to.refuse({ErrorKind::limit, fmt::format("{} requests wait for an answer already; ask later", callers_max)});
            }
            const auto caller = next_caller_++;
            callers_.emplace(caller, std::move(to));
            feed(make(caller, std::move(body), delivery));
        });
    }
    /// `make(body, delivery)` is an Input, or an optional one.
    template <class T, class Make>
    void hear(Make make) {
        endpoint_.subscribe(event_name<T>, [this, make](const bus::Delivery& delivery) {
            auto body = delivery.as<T>();
            if (!body) {
                return log_warn("message.unreadable", {{"name", delivery.name}, {"sender", delivery.stamp.sender}, {"why", body.error().text}});
            }
            std::optional<Input> input = make(std::move(*body), delivery);
            if (input) feed(std::move(*input));
        });
    }
    template <class Make>
    void tick(Duration period, Make make) {
        loop_.every(period, [this, make] { feed(make()); });
    }
    /// Every view, fact and beacon of the ledger, in order (I21); Lost when what was known is void.
    template <class Lost>
    void follow() {
        follower_.emplace(loop_, endpoint_,
                          bus::Follower::Handlers{.on_view = [this](ViewReply reply) { feed(std::move(reply)); },
                                                  .on_fact = [this](const FactRecord& record) { feed(record); },
                                                  .on_lost =
                                                      [this](const std::string& why) {
                                                          log_warn("view.lost", {{"why", why}});
                                                          feed(Lost{});
                                                      },
                                                  .on_head = [this](const LedgerHead& head) { feed(head); }});
    }
    /// A question about the state: `ask` is called when everything before it is on its way to be kept, and what
    /// it returns when that is durable. So nobody reads ahead of the disk.
    void answer_when_durable(std::function<std::function<void()>()> ask) { queries_.push_back(std::move(ask)); }

    // ---- out

    /// Answers that caller; of one that was answered already nothing is left.
    template <class Body>
    void reply(CallerId caller, const Result<Body>& body) {
        const auto found = callers_.extract(caller);
        if (found.empty()) return;
        if (!body) return found.mapped().refuse(body.error());
        answer(found.mapped(), *body);
    }
    /// Asks another process; `make(outcome)` is an input, fed exactly once.
    template <class T, class Make>
    void ask(const T& body, Duration timeout, const bus::Note& note, Make make) {
        std::function<void(Result<ReplyTo<T>>)> answered = [this, make](Result<ReplyTo<T>> outcome) { feed(make(std::move(outcome))); };
        endpoint_.request<T>(body, timeout, std::move(answered), note);
    }
    void out(const Line& line) { log_line(line); }
    /// Whether keep() has to say yes before the batch leaves; hidden by a process that is not alone with its store.
    bool must_keep(const Decisions& decided) const { return decided.durable(); }
    /// Makes the batch durable and says so, now or later; hidden by a process that keeps something.
    void keep(const Decisions&, std::function<void(Result<void>)>) { check(false, "decisions that must last have a keeper"); }
    /// The process can not go on: nothing more leaves.
    void fail_with(Error error) {
        if (failure_) return;
        failure_ = std::move(error);
        loop_.stop();
    }
    bool failed() const { return failure_.has_value(); }

    bus::Loop& loop() { return loop_; }
    bus::Endpoint& endpoint() { return endpoint_; }

    /// Everything that was decided until now leaves, before the loop runs for the first time.
    void end_round() {
        while (!failure_ && !keeping_ && !(is_empty(pending_) && queries_.empty())) {
            leaving_ = std::exchange(pending_, {});
            for (const auto& query : std::exchange(queries_, {})) answers_.push_back(query());
            if (!self().must_keep(leaving_)) {
                let_out();
                continue;
            }
            keeping_ = true;
            self().keep(leaving_, [this](Result<void> outcome) { kept(std::move(outcome)); });
        }
    }

private:
    Self& self() { return static_cast<Self&>(*this); }

    void kept(Result<void> outcome) {
        keeping_ = false;
        if (!outcome) return fail_with(std::move(outcome.error()));
        let_out();
    }
    void let_out() {
        auto leaving = std::exchange(leaving_, {});
        for (const auto& answer : std::exchange(answers_, {})) answer();
        std::apply([this](auto&... lists) { (let_out(lists), ...); }, leaving.in_order());
    }
    template <class Effect>
    void let_out(std::vector<Effect>& effects) {
        for (auto& effect : effects) self().out(std::move(effect));
    }

    template <class Body>
    static void answer(const bus::Responder& to, const Body& body) {
        to.reply(body);
    }
    template <class... Bodies>
    static void answer(const bus::Responder& to, const std::variant<Bodies...>& body) {
        std::visit([&](const auto& one) { to.reply(one); }, body);
    }

    static void merge(Decisions& into, Decisions from) {
        merge_each(into.in_order(), from.in_order(), std::make_index_sequence<std::tuple_size_v<decltype(into.in_order())>>{});
    }
    template <class Lists, std::size_t... I>
    static void merge_each(Lists into, Lists from, std::index_sequence<I...>) {
        (append(std::get<I>(into), std::get<I>(from)), ...);
    }
    template <class Effect>
    static void append(std::vector<Effect>& to, std::vector<Effect>& from) {
        if (to.empty()) {
            to = std::move(from);
        } else {
            to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
        }
    }
    static bool is_empty(Decisions& decisions) {
        return std::apply([](const auto&... lists) { return (lists.empty() && ...); }, decisions.in_order());
    }

    bus::Loop& loop_;
    bus::Endpoint& endpoint_;
    State state_;
    std::optional<bus::Follower> follower_;
    std::map<CallerId, bus::Responder> callers_;
    CallerId next_caller_ = 1;
    Decisions pending_;                                        // of this round, not durable yet
    std::vector<std::function<std::function<void()>()>> queries_;
    Decisions leaving_;                                        // is being kept
    std::vector<std::function<void()>> answers_;               // … with it
    bool keeping_ = false;
    std::optional<Error> failure_;
};

}  // namespace berth::shell
