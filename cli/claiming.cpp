// SPDX-License-Identifier: Apache-2.0
#include "cli/claiming.hpp"

#include <fmt/format.h>

#include "base/about.hpp"
#include "base/clock.hpp"
#include "base/rng.hpp"
#include "cli/interrupt.hpp"
#include "cli/narrate.hpp"
#include "cli/text.hpp"

namespace berth::cli {

namespace {

constexpr Duration turn_length{100};
constexpr Duration answer_patience{2'000};  // after the stream said how it ended
constexpr Duration link_patience{500};      // after it was granted; its host may be starting it anew
constexpr Duration usual_wait{120'000};     // of a gateway that is told none (gateway.claim_wait)
constexpr Duration back_within_least{10'000};  // also who does not wait gives a gateway that long to come back
constexpr Duration again_first{250};
constexpr Duration again_longest{2'000};

constexpr Duration stream_patience{500};  // without a stream the claim still gets its answer

class Claiming {
public:
    Claiming(GatewayClient& gateway, ClaimOrder order)
        : gateway_(gateway), order_(std::move(order)), begun_(clock_.now()), narrator_(begun_), follower_(order_.key) {
        until_ = begun_ + std::max(order_.wait.value_or(usual_wait), back_within_least);
    }

    ~Claiming() {                         // their functions are this claim's
        if (stream_) gateway_.http().cancel(*stream_);
        if (request_) gateway_.http().cancel(*request_);
    }
    Claiming(const Claiming&) = delete;
    Claiming& operator=(const Claiming&) = delete;

    Result<Json> run() {
        say({fmt::format("asking for {} of {}", order_.project, order_.user), ""});
        Duration again = again_first;
        while (true) {
            auto outcome = ask();
            if (link_ == Link::held || Interrupt::seen() || outcome) return outcome;
            // A gateway that was never there is no gateway that died.
            if (link_ == Link::cut && !reached_) return outcome;
            if (clock_.now() + again >= until_) return gave_up(outcome.error());
            say({fmt::format("the gateway is gone ({}); asking again by the claim's key", outcome.error().text), ""});
            const auto next = clock_.now() + again;
            while (clock_.now() < next && !Interrupt::seen()) turn();
            if (Interrupt::seen()) return let_go();
            again = std::min(again * 2, again_longest);
        }
    }

private:
    // One request, with the stream beside it for what happens meanwhile; the answer comes from the request alone.
    Result<Json> ask() {
        std::optional<Result<Json>> outcome;
        std::optional<Instant> ended_at, granted_at;
        follow();
        hear_first();
        request_ = gateway_.start_claim(order_now(), [&](Result<Json> answer, Link link) {
            outcome = std::move(answer);
            link_ = link;
            request_.reset();
        });
        while (!outcome) {
            turn();
            if (Interrupt::seen()) return let_go();
            const auto now = clock_.now();
            if (!outcome && follower_.granted()) {
                if (!granted_at) granted_at = now;
                if (now >= *granted_at + link_patience) say({"granted; waiting for its host", ""});
            }
            if (!outcome && follower_.ended()) {
                if (!ended_at) ended_at = now;
                if (now >= *ended_at + answer_patience) {
                    link_ = Link::held;
                    return fail(*follower_.ended());
                }
            }
        }
        spinner_.clear();
        if (*outcome && text_at(**outcome, "state") == "granted" && find(**outcome, "over") == nullptr) say({"ready", ""});
        return std::move(*outcome);
    }

    // A claim on a standby is answered within some milliseconds: the stream is there before it is asked.
    void hear_first() {
        const auto no_longer = clock_.now() + stream_patience;
        while (stream_ && !reached_ && clock_.now() < no_longer && !Interrupt::seen()) gateway_.http().turn(turn_length);
    }

    void turn() {
        gateway_.http().turn(turn_length);
        spinner_.show(narrator_.waiting_line(clock_.now()));
    }

    void follow() {
        if (stream_) return;
        StreamOrder stream;
        stream.types = "claim.,lease.granted,workspace.started,workspace.failed";
        stream.opened = [this] { reached_ = true; };
        stream_ = gateway_.start_events(
            stream,
            [this](const SseEvent& event) {
                const auto body = Json::parse(event.data, nullptr, false);
                const auto* data = find(body, "data");
                if (data == nullptr) return;
                if (const auto phase = follower_.feed(event_name_of(event.type, body), *data)) say(*phase);
            },
            [this](const Error&) { stream_.reset(); });  // without the stream the claim still gets its answer
    }

    // What is left of the wait; the key's body is the same, so it is the same claim.
    ClaimOrder order_now() const {
        auto order = order_;
        if (order.wait && order.wait->count() > 0) {
            order.wait = std::max(*order_.wait - (clock_.now() - begun_), Duration{1'000});
        }
        return order;
    }

    void say(const Phase& phase) {
        if (const auto line = narrator_.note(phase, clock_.now())) {
            spinner_.clear();
            remark(*line);
        }
    }

    std::string fate() const {
        return follower_.claim().empty() ? "whether it was accepted is not known" : fmt::format("the claim {} goes on", printable(follower_.claim()));
    }
    Result<Json> let_go() {
        spinner_.clear();
        remark(fmt::format("let go; {}. Take it up again with:\n  {}", fate(), resume_command(order_)));
        return fail(ErrorKind::timeout, "interrupted");
    }
    Result<Json> gave_up(const Error& last) {
        spinner_.clear();
        return fail(ErrorKind::timeout, "the gateway did not come back within {} ({}); {}. Ask again with:\n  {}",
                    about(clock_.now() - begun_), last.text, fate(), resume_command(order_));
    }

    GatewayClient& gateway_;
    ClaimOrder order_;
    RealClock clock_;
    Instant begun_;
    Instant until_;
    Narrator narrator_;
    ClaimFollower follower_;
    Spinner spinner_;
    Link link_ = Link::held;
    bool reached_ = false;                // the gateway was there once
    std::optional<std::uint64_t> stream_, request_;
};

}  // namespace

std::string new_claim_key() { return "cli-" + random_hex(12); }

std::string resume_command(const ClaimOrder& order) {
    auto text = fmt::format("berth claim {} --user {} --idempotency-key {}", shell_quoted(order.project),
                            shell_quoted(order.user), shell_quoted(order.key));
    if (!order.pool.empty()) text += " --pool " + shell_quoted(order.pool);
    if (order.ttl) text += " --ttl " + to_text(*order.ttl);
    return text;
}

Result<Json> claim_and_narrate(GatewayClient& gateway, const ClaimOrder& order) {
    return Claiming(gateway, order).run();
}

Result<void> check_claimed(const Json& claimed) {
    const auto state = text_at(claimed, "state");
    if (state == "denied" || state == "failed" || state == "expired") {
        const auto kind = enum_from<ErrorKind>(text_at(claimed, "kind")).value_or(ErrorKind::no_capacity);
        return fail(kind, "the claim ended {}: {}", state, text_at(claimed, "text"));
    }
    if (const auto* over = find(claimed, "over")) return fail(ErrorKind::conflict, "{}", text_at(*over, "text"));
    return {};
}

}  // namespace berth::cli
