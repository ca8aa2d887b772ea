// SPDX-License-Identifier: Apache-2.0
// The allocator's core alone, without bus, disk or clock: how many decisions one thread makes in a second of
// computing (what others take of the machine does not count). And the view:
// how fast facts fold into it, which is what a restart and every follower do.
//
//   bench_core
//   {"do": "cycles", "hosts": H, "slots": S, "leases": L, "count": N}    L leases stand; then N cycles, 256 at a time
//   {"do": "fold", "hosts": H, "slots": S, "count": N}                   the facts of N cycles into an empty view
//   {"do": "beats", "hosts": H, "slots": S, "count": N}                  heartbeats of full hosts
#include "bench/plumbing/histogram.hpp"
#include "bench/plumbing/play.hpp"
#include "bench/plumbing/turns.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

constexpr std::size_t outstanding = play_outstanding;

Json cycles(const Json& asked) {
    Play play(asked.at("hosts"), asked.at("slots"), Play::Facts::counted);
    for (std::size_t left = asked.at("leases"); left > 0;) {
        const auto now = std::min(left, outstanding);
        play.claim(now);
        left -= now;
    }
    play.fact_count = play.steps = 0;
    const std::size_t count = asked.at("count");
    double claiming = 0, releasing = 0;
    for (std::size_t done = 0; done < count; done += outstanding) {
        const auto begun = thread_cpu_seconds();
        const auto granted = play.claim(std::min(outstanding, count - done));
        claiming += thread_cpu_seconds() - begun;
        const auto half = thread_cpu_seconds();
        play.release(granted);
        releasing += thread_cpu_seconds() - half;
    }
    return {{"count", count}, {"seconds", claiming + releasing}, {"claims_per_second", static_cast<double>(count) / claiming},
            {"facts_per_cycle", static_cast<double>(play.fact_count) / static_cast<double>(count)},
            {"steps_per_cycle", static_cast<double>(play.steps) / static_cast<double>(count)}};
}

Json fold(const Json& asked) {
    Play play(asked.at("hosts"), asked.at("slots"), Play::Facts::kept);
    const std::size_t count = asked.at("count");
    for (std::size_t done = 0; done < count; done += outstanding) play.release(play.claim(std::min(outstanding, count - done)));
    const auto begun = thread_cpu_seconds();
    View view;
    for (const auto& fact : play.facts) apply(view, fact);
    return {{"count", play.facts.size()}, {"seconds", thread_cpu_seconds() - begun}};
}

Json beats(const Json& asked) {
    const std::uint32_t hosts = asked.at("hosts");
    Play play(hosts, asked.at("slots"), Play::Facts::counted);
    const std::size_t count = asked.at("count");
    const auto begun = thread_cpu_seconds();
    for (std::size_t i = 0; i < count; ++i) play.beat(Play::name_of(static_cast<std::uint32_t>(i % hosts)));
    return {{"count", count}, {"seconds", thread_cpu_seconds() - begun}};
}

}  // namespace

int main() { return serve_turns({{"ready", true}}, {{"cycles", cycles}, {"fold", fold}, {"beats", beats}}); }
