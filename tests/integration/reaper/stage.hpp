// SPDX-License-Identifier: Apache-2.0
// The real berth-reaper beside the real broker and the real allocator, with a host and a provider
// that say what the test wants: which signals, which instances, or nothing at all.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "events/query.hpp"
#include "tests/integration/allocator/scripted_host.hpp"

namespace berth::testing {

class ReaperStage {
public:
    /// `pool` are lines of [pool.default]; `reaper` of [reaper], over short times that fit tests.
    explicit ReaperStage(const std::string& pool, const std::string& reaper = "");

    void start();                                 // broker, allocator, reaper, the host
    void restart_reaper();                        // kill -9, and a new one
    /// All loops of the test, in turns, while the host beats and says `signals` of its workspaces.
    bool until(const std::function<bool()>& is_so, Duration within = Duration{20'000});
    bool hears_for(Duration time);                // true when nothing failed meanwhile

    Result<ClaimReply> claim(const std::string& user, std::optional<Duration> ttl = std::nullopt);
    View view();
    std::optional<WorkspaceView> workspace(const WorkspaceId& id);
    template <class T>
    std::vector<T> facts_of() {
        const auto reply = ask<FactsReply>(robot->endpoint(), FactsRequest{.limit = 5'000});
        std::vector<T> found;
        if (!reply) return found;
        for (const auto& record : reply->facts) {
            if (const auto* fact = std::get_if<T>(&record.fact)) found.push_back(*fact);
        }
        return found;
    }
    void object(const WorkspaceIdle& intent);
    void list(std::vector<Instance> instances);   // a complete listing, now

    Cluster cluster;
    std::optional<TestPeer> robot;
    std::optional<ScriptedHost> host;
    std::optional<TestPeer> provider;             // with the scaler's key

    bool beats = true;
    std::vector<Signal> signals;                  // of every workspace that is bound; none: no reading
    std::function<Instant()> last_used = [] { return Instant{}; };  // of the signal "http", unless `signals` are set
    bool knows_signals = true;                    // false: "http" cannot be read
    bool reads = true;                            // false: no reading at all
    std::vector<WorkspaceIdle> intents;           // that reached the host
    bool stops_when_idle = true;
    std::vector<TerminateOrphanRequest> orphans;  // that the scaler was asked to end

private:
    template <class Reply, class T>
    std::optional<Reply> ask(bus::Endpoint& endpoint, const T& value) {
        std::optional<Reply> got;
        const auto deadline = clock_.now() + Duration{10'000};
        while (!got && clock_.now() < deadline) {
            bool over = false;
            endpoint.request<T>(value, Duration{10'000}, [&](Result<Reply> reply) {
                over = true;
                if (reply) got = std::move(*reply);
            });
            turn_until([&] { return over; }, Duration{12'000});
        }
        return got;
    }
    bool turn_until(const std::function<bool()>& is_so, Duration within);
    void speak();

    RealClock clock_;
    Instant next_word_;
};

}  // namespace berth::testing
