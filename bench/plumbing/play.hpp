// SPDX-License-Identifier: Apache-2.0
// The allocator's core with hosts that answer at once and users that claim, without bus, disk or clock.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <stdexcept>

#include "allocator/step.hpp"

namespace berth::bench {

inline constexpr std::size_t play_outstanding = 256;

class Play {
public:
    enum class Facts { counted, kept };
    Play(std::uint32_t hosts, std::uint32_t slots, Facts are, const std::string& ledger = "L", Instant now = Instant{Duration{1'000'000'000}})
        : keep_(are == Facts::kept), slots_(slots), state_(allocator::make_state(allocator::Policy{.claims_open_max = 1'000'000}, {})), now_(now) {
        give(allocator::Begin{ledger, "bench"});
        give(allocator::PoolConfigured{PoolDefined{.pool = {"default"}, .slots_per_host = slots, .hosts_max = hosts, .standbys = slots}});
        for (std::uint32_t i = 0; i < hosts; ++i) add_host(name_of(i));
    }
    void add_host(const std::string& host) {
        ask(RegisterRequest{.host = {host}, .incarnation = {"i1"}, .pool = {"default"}, .instance = host, .public_ip = "127.0.0.1",
                            .proxy_port = 1, .slots = slots_, .version = "bench"}, Role::host, host);
        beat(host);
    }
    const View& view() const { return state_.view; }
    static std::string name_of(std::uint32_t i) { return fmt::format("h-{:06}", i); }

    void beat(const std::string& host) {
        HostHeartbeat word{.host = {host}, .incarnation = {"i1"}};
        for (std::uint32_t slot = 0; slot < slots_; ++slot) word.slots.push_back({slot, SlotPhase::prepared, {}, {}, {"c"}, ""});
        ask(std::move(word), Role::host, host);
    }
    /// Claims `count` and carries them to their grant; their workspaces.
    std::vector<WorkspaceId> claim(std::size_t count) {
        granted_.clear();
        for (std::size_t i = 0; i < count; ++i) {
            const auto number = ++claims_;
            ask(ClaimRequest{.key = {fmt::format("k{}", number)}, .user = {fmt::format("u{}", number)}, .project = {"p"}}, Role::client, "robot");
        }
        answer_all();
        if (granted_.size() != count) {
            throw std::runtime_error(fmt::format("{} of {} claims were granted: {}", granted_.size(), count, refused_));
        }
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
        give(allocator::Asked<T>{++callers_, role, sender, "m", std::move(body)});
    }
    void give(const allocator::Input& input) {
        auto out = allocator::step(state_, input, now_);
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
                [](const auto& body) -> allocator::HostAnswer {
                    using Body = std::decay_t<decltype(body)>;
                    if constexpr (std::is_same_v<Body, BindCommand>) return BindReply{{"k"}, "http://w.localhost:1/"};
                    else if constexpr (std::is_same_v<Body, LinkCommand>) return LinkReply{"http://w.localhost:1/", "http://w.localhost:1/?token=t", "t"};
                    else if constexpr (std::is_same_v<Body, StopCommand>) return StopReply{body.slot, body.epoch};
                    else throw std::runtime_error("bench/plumbing/play.hpp knows no answer to a command: see answer_all()");
                },
                command.body);
            give(allocator::CommandAnswered{command.id, Result<allocator::HostAnswer>{answer}});
        }
    }

    bool keep_;
    std::uint32_t slots_;
    allocator::State state_;
    Instant now_;
    allocator::CallerId callers_ = 0;
    std::uint64_t claims_ = 0;
    std::deque<allocator::Command> commands_;
    std::vector<WorkspaceId> granted_;
    std::string refused_;
};

}  // namespace berth::bench
