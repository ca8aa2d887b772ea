// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/allocator/traffic.hpp"

#include <filesystem>

namespace berth::testing {

namespace {

constexpr std::uint32_t slots = 64;
constexpr std::size_t lanes = 8;

}  // namespace

Traffic::Traffic(Cluster& cluster) : robot_(cluster, "robot", Role::client) {
    for (std::size_t lane = 0; lane < lanes; ++lane) claim(lane);
}

sim::Call Traffic::begin(std::size_t lane, sim::CallKind kind) {
    ++open_;
    sim::Call call;
    call.client = fmt::format("u{}", lane);
    call.kind = kind;
    call.project = "p";
    call.began_at = robot_.loop().now();
    return call;
}

void Traffic::ended(sim::Call call, bool good, const Error* error) {
    --open_;
    call.end = good ? sim::CallEnd::ok : sim::CallEnd::unknown;
    if (error != nullptr) call.error = std::string{to_string(error->kind)};
    call.ended_at = robot_.loop().now();
    history_.push_back(std::move(call));
}

// An answer that did not come is asked for again, by the same key.
void Traffic::claim(std::size_t lane, std::uint64_t again) {
    const auto number = again > 0 ? again : ++numbers_;
    auto call = begin(lane, sim::CallKind::claim);
    call.key = fmt::format("k{}-{}", lane, number);
    robot_.endpoint().request<ClaimRequest>({.key = {call.key}, .user = {call.client}, .project = {"p"}}, Duration{2'000},
                                            [this, lane, number, call](Result<ClaimReply> reply) mutable {
        const bool good = reply && reply->state == ClaimState::granted;
        if (good) {
            call.workspace = reply->workspace.value;
            call.host = reply->host.value;
            call.epoch = reply->epoch.value;
            ++granted_;
        }
        ended(call, good, reply ? nullptr : &reply.error());
        if (over_ && good) return;
        robot_.loop().after(Duration{good ? 1 : 50}, [this, lane, number, good, workspace = call.workspace] {
            if (over_) return;
            if (good) return release(lane, workspace);
            claim(lane, number);
        });
    });
}

void Traffic::release(std::size_t lane, const std::string& workspace) {
    auto call = begin(lane, sim::CallKind::release);
    call.workspace = workspace;
    robot_.endpoint().request<ReleaseRequest>({.target = {WorkspaceId{workspace}}, .why = "traffic"}, Duration{2'000},
                                              [this, lane, workspace, call](Result<Done> done) mutable {
        if (done) call.count = done->count;
        ended(call, done.has_value(), done ? nullptr : &done.error());
        robot_.loop().after(Duration{done ? 1 : 50}, [this, lane, workspace, good = done.has_value()] {
            if (over_) return;
            if (good) return claim(lane);
            release(lane, workspace);
        });
    });
}

OnSharedStore::OnSharedStore(const std::string& store, const std::string& more)
    : cluster(fmt::format("[pool.default]\nslots_per_host = {}\n[ledger]\nstore = \"{}\"\n{}", slots, store, more)) {
    cluster.start("broker");
}

OnSharedStore::~OnSharedStore() {
    if (!hosting.joinable()) return;
    host->peer().loop().stop();
    hosting.join();
}

void OnSharedStore::begin() {
    cluster.start("allocator");
    host.emplace(cluster, "h-1", slots);
}

void OnSharedStore::run_host() {
    ASSERT_TRUE(host->enrol());
    host->peer().loop().every(Duration{100}, [this] {
        HostHeartbeat beat{.host = {"h-1"}, .incarnation = {"i-h-1"}};
        for (const auto& [slot, report] : host->reports()) beat.slots.push_back(report);
        host->peer().endpoint().request<HostHeartbeat>(beat, Duration{1'000}, [](Result<HostOrders>) {});
    });
    hosting = std::thread([this] { host->peer().loop().run(); });
}

std::unique_ptr<Child> OnSharedStore::start_other(const std::string& name, const std::vector<std::string>& more) {
    const auto state = elsewhere / name;
    std::filesystem::create_directories(state);
    for (const auto* shared : {"keys", "bus.toml"}) {
        if (!std::filesystem::exists(state + "/" + shared)) std::filesystem::create_symlink(cluster.state() + "/" + shared, state + "/" + shared);
    }
    std::vector<std::string> words{fmt::format("{}/berth-allocator", BERTH_BIN_DIR), "--config", cluster.config(), "--state", state};
    words.insert(words.end(), more.begin(), more.end());
    return std::make_unique<Child>(words, log_of(name));
}

Child OnSharedStore::start_first(const std::vector<std::string>& more, const std::string& name) {
    std::vector<std::string> words{fmt::format("{}/berth-allocator", BERTH_BIN_DIR), "--config", cluster.config(), "--state", cluster.state()};
    words.insert(words.end(), more.begin(), more.end());
    return {words, log_of(name)};
}

int OnSharedStore::run(std::vector<std::string> words, const std::string& name) { return start_first(words, name).wait(Duration{60'000}).value_or(-1); }

bool OnSharedStore::says(const std::string& name, const std::string& what) {
    return eventually([&] { return read_text(log_of(name)).find(what) != std::string::npos; }, Duration{20'000});
}

}  // namespace berth::testing
