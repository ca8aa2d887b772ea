// SPDX-License-Identifier: Apache-2.0
#include "gateway/reach.hpp"

#include <fmt/format.h>

#include <utility>

#include "http/client.hpp"

namespace berth::gateway {

namespace {

constexpr std::size_t at_once = 64;
constexpr std::size_t answer_bytes_max = 16 * 1024;
constexpr Duration turn_longest{100};

// Its certificate is for a name, and this was its address: there is a proxy all the same.
bool is_there(const Result<http::Answer>& answer) { return answer ? answer->status == 200 : answer.error().kind == ErrorKind::denied; }

std::string why_not(const ReachTarget& target, const Result<http::Answer>& answer) {
    const auto what = answer ? fmt::format("something else answers there, with {}", answer->status) : answer.error().text;
    return fmt::format("the gateway does not reach the proxy of {} at {}: {}. Open that port to your users, or join again with the address and "
                       "port that reach it (--public-ip, --proxy-port)", target.host.value, target.address, what);
}

}  // namespace

ReachWatch::ReachWatch(Duration timeout, Tell tell) : timeout_(timeout), tell_(std::move(tell)), thread_([this] { run(); }) {}

ReachWatch::~ReachWatch() {
    {
        const std::lock_guard lock(guard_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void ReachWatch::look_at(std::vector<ReachTarget> targets) {
    {
        const std::lock_guard lock(guard_);
        wanted_ = std::move(targets);
    }
    changed_.notify_all();
}

void ReachWatch::run() {
    for (;;) {
        std::vector<ReachTarget> targets;
        {
            std::unique_lock lock(guard_);
            changed_.wait(lock, [this] { return ending_ || wanted_; });
            if (ending_) return;
            targets = std::move(*wanted_);
            wanted_.reset();
        }
        try_all(targets);
    }
}

// Plain HTTP first, then TLS: which of the two it is only its own machine knows.
void ReachWatch::try_all(const std::vector<ReachTarget>& targets) {
    http::Client client;
    std::size_t next = 0, open = 0;
    const auto ask = [&](const ReachTarget& target, const char* scheme, http::Client::OnDone done) {
        ++open;
        client.start({.url = fmt::format("{}://{}/_berth/health", scheme, target.address), .deadline = timeout_, .connect_deadline = timeout_,
                      .body_bytes_max = answer_bytes_max},
                     [&open, done = std::move(done)](Result<http::Answer> answer) {
                         --open;
                         done(std::move(answer));
                     });
    };
    while (next < targets.size() || open > 0) {
        for (; next < targets.size() && open < at_once; ++next) {
            const auto& target = targets[next];
            ask(target, "http", [&, target](Result<http::Answer> plain) {
                if (is_there(plain)) return tell_(target.host, {});
                ask(target, "https", [&, target, plain = std::move(plain)](Result<http::Answer> answer) {
                    tell_(target.host, is_there(answer) ? std::string{} : why_not(target, plain));
                });
            });
        }
        client.turn(turn_longest);
        const std::lock_guard lock(guard_);
        if (ending_) return;
    }
}

}  // namespace berth::gateway
