// SPDX-License-Identifier: Apache-2.0
// The real allocator beside the obvious one, operation by operation: claims with new, old and misused
// keys, releases, cordons, hosts that come and end, restarts. Everything that is commanded is done at
// once, so there is one right answer to each.
#include "tests/sim/reference.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>

#include "allocator/step.hpp"
#include "base/rng.hpp"

namespace berth::sim {
namespace {

class Real {
public:
    Real() : state_(allocator::make_state({}, {})) {
        give(allocator::Begin{"L", "test"});
        give(allocator::PoolConfigured{{.pool = {"default"}}});
    }
    /// Gives the input, does all that follows from it, and returns the reply to `caller`.
    template <class T>
    std::optional<Result<allocator::ReplyBody>> ask(T body, Role role, const std::string& sender) {
        const auto caller = ++last_caller_;
        give(allocator::Asked<T>{caller, role, sender, fmt::format("m{}", caller), std::move(body)});
        const auto at = replies_.find(caller);
        return at == replies_.end() ? std::nullopt : std::optional{at->second};
    }
    void add_host(const std::string& name, std::uint32_t slots) {
        ask(RegisterRequest{.host = {name}, .incarnation = {"i1"}, .pool = {"default"}, .instance = name, .slots = slots}, Role::host, name);
        beat(name);
    }
    void beat(const std::string& name) { ask(HostHeartbeat{.host = {name}, .incarnation = {"i1"}}, Role::host, name); }
    void restart(const std::vector<std::string>& hosts) {
        View view;
        for (const auto& fact : facts_) apply(view, fact);
        state_ = allocator::make_state({}, std::move(view));
        give(allocator::Begin{"L", "test"});
        for (const auto& host : hosts) beat(host);
    }
    const View& view() const { return state_.view; }

private:
    void give(const allocator::Input& input) {
        std::deque<allocator::Input> inputs{input};
        while (!inputs.empty()) {
            const auto out = allocator::step(state_, inputs.front(), now_ += Duration{1});
            inputs.pop_front();
            facts_.insert(facts_.end(), out.facts.begin(), out.facts.end());
            for (const auto& reply : out.replies) replies_.emplace(reply.caller, reply.body);
            for (const auto& command : out.commands) inputs.push_back(allocator::CommandAnswered{command.id, answer(command.body)});
        }
    }
    // Every other host is of a version that gives links only when asked.
    allocator::HostAnswer answer(const allocator::CommandBody& body) {
        const LinkReply link{"http://w.localhost/", "http://w.localhost/open", "t"};
        if (std::holds_alternative<BindCommand>(body)) {
            return BindReply{{"c"}, link.url, ++binds_ % 2 == 0 ? std::optional{link} : std::nullopt};
        }
        if (const auto* stop = std::get_if<StopCommand>(&body)) return StopReply{stop->slot, stop->epoch};
        if (const auto* erase = std::get_if<EraseCommand>(&body)) return EraseReply{erase->workspace};
        if (std::holds_alternative<SealCommand>(body)) return SealReply{{"i1"}, 0};
        return link;
    }

    allocator::State state_;
    Instant now_{Duration{1'000'000}};
    std::vector<FactRecord> facts_;
    std::map<allocator::CallerId, Result<allocator::ReplyBody>> replies_;
    allocator::CallerId last_caller_ = 0;
    std::uint64_t binds_ = 0;
};

class Pair {
public:
    explicit Pair(std::uint64_t seed) : rng_(seed) {}

    void act() {
        const auto owner = rng_.below(6);
        switch (rng_.below(12)) {
            case 0: return add_host();
            case 1: return end_host();
            case 2: return cordon();
            case 3: return uncordon();
            case 4: return real_.restart(hosts_);
            case 5:
            case 6:
            case 7: return release(owner);
            default: return claim(owner);
        }
    }
    void compare_rooms() {
        std::uint32_t free = 0, leases = 0;
        for (const auto& [id, host] : real_.view().hosts) {
            if (host.liveness == Liveness::live && host.admission == Admission::open) free += host.count(SlotUse::free);
            leases += host.count(SlotUse::leased) + host.count(SlotUse::stopping);
        }
        EXPECT_EQ(free, reference_.free_slots());
        EXPECT_EQ(leases, reference_.leases());
    }

private:
    static std::string user(std::uint64_t owner) { return fmt::format("u{}", owner); }
    static std::string name(std::uint64_t owner) { return user(owner) + "/p"; }
    std::string any_host() { return hosts_[rng_.below(hosts_.size())]; }

    void claim(std::uint64_t owner) {
        const auto key = rng_.chance(0.3) && last_key_ > 0 ? 1 + rng_.below(last_key_) : ++last_key_;
        const ClaimRequest request{.key = {fmt::format("k{}", key)}, .user = {user(owner)}, .project = {"p"}, .wait_ms = Duration{0}};
        const auto real = real_.ask(request, Role::client, "robot");
        const auto* granted = real && *real ? std::get_if<ClaimReply>(&**real) : nullptr;
        compare(real, reference_.claim("robot", request.key.value, name(owner), granted ? granted->host.value : ""));
    }
    void release(std::uint64_t owner) {
        const ReleaseRequest request{.target = {.user = UserId{user(owner)}, .project = ProjectName{"p"}}};
        compare(real_.ask(request, Role::client, "robot"), reference_.release(name(owner)));
    }
    void add_host() {
        if (hosts_.size() > 4) return;
        hosts_.push_back(fmt::format("h-{}", ++last_host_));
        const auto slots = static_cast<std::uint32_t>(1 + rng_.below(3));
        real_.add_host(hosts_.back(), slots);
        reference_.add_host(hosts_.back(), slots);
    }
    void end_host() {
        if (hosts_.empty()) return;
        const auto host = any_host();
        real_.ask(GoneRequest{{{host}, {"i1"}}, "listed as terminated"}, Role::reaper, "reaper");
        reference_.end_host(host);
        std::erase(hosts_, host);
    }
    void cordon() {
        if (hosts_.empty()) return;
        const auto host = any_host();
        real_.ask(CordonRequest{{{host}, {"i1"}}, "test"}, Role::scaler, "scaler");
        reference_.close_host(host);
    }
    void uncordon() {
        if (hosts_.empty()) return;
        const auto host = any_host();
        real_.ask(UncordonRequest{{{host}, {"i1"}}, "test"}, Role::scaler, "scaler");
        reference_.open_host(host);
    }
    void compare(const std::optional<Result<allocator::ReplyBody>>& real, const Reference::Answer& right) {
        ASSERT_TRUE(real) << "every operation is answered";
        if (!*real) {
            ASSERT_TRUE(right.refused) << "refused: " << real->error().text << "; lease " << right.lease << " was right";
            EXPECT_EQ(real->error().kind, *right.refused);
            return;
        }
        ASSERT_FALSE(right.refused) << "granted, though " << to_string(*right.refused) << " was right";
        if (const auto* done = std::get_if<Done>(&**real)) {
            EXPECT_EQ(done->count, right.count);
            return;
        }
        const auto& granted = std::get<ClaimReply>(**real);
        EXPECT_EQ(granted.user.value + "/p", right.owner);
        const auto lease = fmt::format("{} {}", granted.workspace.value, granted.epoch.value);
        EXPECT_EQ(names_.emplace(right.lease, lease).first->second, lease) << "one lease has one name";
        EXPECT_EQ(numbers_.emplace(lease, right.lease).first->second, right.lease) << "one name means one lease";
    }

    Rng rng_;
    Real real_;
    Reference reference_;
    std::vector<std::string> hosts_;
    std::uint64_t last_key_ = 0, last_host_ = 0;
    std::map<std::uint64_t, std::string> names_;
    std::map<std::string, std::uint64_t> numbers_;
};

TEST(Reference, TheRealAllocatorAnswersAsTheObviousOne) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Pair pair(seed);
        for (int act = 0; act < 250; ++act) {
            pair.act();
            pair.compare_rooms();
            ASSERT_FALSE(HasFailure()) << "seed " << seed << ", operation " << act;
        }
    }
}

}  // namespace
}  // namespace berth::sim
