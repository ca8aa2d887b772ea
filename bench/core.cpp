// SPDX-License-Identifier: Apache-2.0
// The allocator's core alone, without bus, disk or clock: how many decisions one thread makes. And the view:
// how fast facts fold into it, which is what a restart and every follower do.
//
//   bench_core
//   {"do": "cycles", "hosts": H, "slots": S, "leases": L, "count": N}    L leases stand; then N cycles, 256 at a time
//   {"do": "fold", "hosts": H, "slots": S, "count": N}                   the facts of N cycles into an empty view
//   {"do": "beats", "hosts": H, "slots": S, "count": N}                  heartbeats of full hosts
#include <fmt/format.h>

#include <deque>

#include "allocator/step.hpp"
#include "bench/plumbing/histogram.hpp"
#include "bench/plumbing/turns.hpp"

namespace {

using namespace berth;
using namespace berth::allocator;
using namespace berth::bench;

constexpr std::size_t outstanding = 256;

class Play {
public:
    Play(std::uint32_t hosts, std::uint32_t slots, bool keep) : keep_(keep), slots_(slots), state_(make_state(Policy{.claims_open_max = 1'000'000}, {})) {
        give(Begin{"L", "bench"});
        give(PoolConfigured{PoolDefined{.pool = {"default"}, .slots_per_host = slots, .hosts_max = hosts, .standbys = slots}});
        for (std::uint32_t i = 0; i < hosts; ++i) {
            const auto host = name_of(i);
            ask(RegisterRequest{.host = {host}, .incarnation = {"i1"}, .pool = {"default"}, .instance = host, .public_ip = "127.0.0.1",
                                .proxy_port = 1, .slots = slots, .version = "bench"}, Role::host, host);
            beat(i);
        }
    }
    static std::string name_of(std::uint32_t i) { return fmt::format("h-{:06}", i); }

    void beat(std::uint32_t i) {
        HostHeartbeat word{.host = {name_of(i)}, .incarnation = {"i1"}};
        for (std::uint32_t slot = 0; slot < slots_; ++slot) word.slots.push_back({slot, SlotPhase::prepared, {}, {}, {"c"}, ""});
        ask(std::move(word), Role::host, name_of(i));
    }
    /// Claims `count` and carries them to their grant; their workspaces.
    std::vector<WorkspaceId> claim(std::size_t count) {
        granted_.clear();
        for (std::size_t i = 0; i < count; ++i) {
            const auto number = ++claims_;
            ask(ClaimRequest{.key = {fmt::format("k{}", number)}, .user = {fmt::format("u{}", number)}, .project = {"p"}}, Role::client, "robot");
        }
        answer_all();
        if (granted_.size() != count) throw std::runtime_error(fmt::format("{} of {} claims were granted: {}", granted_.size(), count, refused_));
        return granted_;
    }
    void release(const std::vector<WorkspaceId>& all) {
        for (const auto& workspace : all) {
            ReleaseRequest request;              // not in one expression: g++ 12 sees it uninitialised
            request.target.workspace = workspace;
            request.why = "bench";
            ask(std::move(request), Role::client, "robot");
        }
        answer_all();
    }

    std::vector<FactRecord> facts;
    std::uint64_t fact_count = 0, steps = 0;

private:
    template <class T>
    void ask(T body, Role role, const std::string& sender) {
        give(Asked<T>{++callers_, role, sender, "m", std::move(body)});
    }
    void give(const Input& input) {
        auto out = step(state_, input, now_);
        ++steps;
        fact_count += out.facts.size();
        if (keep_) std::move(out.facts.begin(), out.facts.end(), std::back_inserter(facts));
        std::move(out.commands.begin(), out.commands.end(), std::back_inserter(commands_));
        for (const auto& reply : out.replies) {
            if (!reply.body) {
                refused_ = reply.body.error().text;
            } else if (const auto* claim = std::get_if<ClaimReply>(&*reply.body)) {
                granted_.push_back(claim->workspace);
            }
        }
    }
    void answer_all() {
        for (; !commands_.empty(); commands_.pop_front()) {
            const auto& command = commands_.front();
            const auto answer = std::visit(
                [](const auto& body) -> HostAnswer {
                    using Body = std::decay_t<decltype(body)>;
                    if constexpr (std::is_same_v<Body, BindCommand>) return BindReply{{"k"}, "http://w.localhost:1/"};
                    else if constexpr (std::is_same_v<Body, LinkCommand>) return LinkReply{"http://w.localhost:1/", "http://w.localhost:1/_berth/open?token=t", "t"};
                    else if constexpr (std::is_same_v<Body, StopCommand>) return StopReply{body.slot, body.epoch};
                    else throw std::runtime_error("bench_core knows no answer to a command: see answer_all()");
                },
                command.body);
            give(CommandAnswered{command.id, Result<HostAnswer>{answer}});
        }
    }

    bool keep_;
    std::uint32_t slots_;
    State state_;
    Instant now_{Duration{1'000'000'000}};
    CallerId callers_ = 0;
    std::uint64_t claims_ = 0;
    std::deque<Command> commands_;
    std::vector<WorkspaceId> granted_;
    std::string refused_;
};

Json cycles(const Json& asked) {
    Play play(asked.at("hosts"), asked.at("slots"), false);
    for (std::size_t left = asked.at("leases"); left > 0;) {
        const auto now = std::min(left, outstanding);
        play.claim(now);
        left -= now;
    }
    play.fact_count = play.steps = 0;
    const std::size_t count = asked.at("count");
    double claiming = 0, releasing = 0;
    for (std::size_t done = 0; done < count; done += outstanding) {
        const auto begun = Steady::now();
        const auto granted = play.claim(std::min(outstanding, count - done));
        claiming += seconds_since(begun);
        const auto half = Steady::now();
        play.release(granted);
        releasing += seconds_since(half);
    }
    return {{"count", count}, {"seconds", claiming + releasing}, {"claims_per_second", static_cast<double>(count) / claiming},
            {"facts_per_cycle", static_cast<double>(play.fact_count) / static_cast<double>(count)},
            {"steps_per_cycle", static_cast<double>(play.steps) / static_cast<double>(count)}};
}

Json fold(const Json& asked) {
    Play play(asked.at("hosts"), asked.at("slots"), true);
    const std::size_t count = asked.at("count");
    for (std::size_t done = 0; done < count; done += outstanding) play.release(play.claim(std::min(outstanding, count - done)));
    const auto begun = Steady::now();
    View view;
    for (const auto& fact : play.facts) apply(view, fact);
    return {{"count", play.facts.size()}, {"seconds", seconds_since(begun)}};
}

Json beats(const Json& asked) {
    const std::uint32_t hosts = asked.at("hosts");
    Play play(hosts, asked.at("slots"), false);
    const std::size_t count = asked.at("count");
    const auto begun = Steady::now();
    for (std::size_t i = 0; i < count; ++i) play.beat(static_cast<std::uint32_t>(i % hosts));
    return {{"count", count}, {"seconds", seconds_since(begun)}};
}

}  // namespace

int main() { return serve_turns({{"ready", true}}, {{"cycles", cycles}, {"fold", fold}, {"beats", beats}}); }
