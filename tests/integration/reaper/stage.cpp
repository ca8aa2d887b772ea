// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/reaper/stage.hpp"

namespace berth::testing {

namespace {

constexpr Duration word_every{100};

std::string config_of(const std::string& pool, const std::string& reaper) {
    return "[pool.default]\nslots_per_host = 2\nstandbys = 0\n" + pool +
           "\n[allocator]\nheartbeat = \"200ms\"\n[ledger]\nbeacon = \"200ms\"\n"
           "[reaper]\ntick = \"20ms\"\nactivity = \"200ms\"\nbeacon_silence = \"2s\"\nobjection = \"300ms\"\n"
           "retry = \"100ms\"\nretry_max = \"500ms\"\nsettle = \"300ms\"\nask_timeout = \"1s\"\n" + reaper + "\n";
}

}  // namespace

ReaperStage::ReaperStage(const std::string& pool, const std::string& reaper) : cluster(config_of(pool, reaper)) {}

void ReaperStage::start() {
    cluster.start("broker");
    cluster.start("allocator");
    robot.emplace(cluster, "robot", Role::client);
    host.emplace(cluster, "h-1", 2);
    provider.emplace(cluster, "scaler", Role::scaler);
    provider->endpoint().serve<TerminateOrphanRequest>([this](TerminateOrphanRequest body, const bus::Delivery&, bus::Responder to) {
        orphans.push_back(std::move(body));
        to.reply(Done{.count = 1});
    });
    host->peer().endpoint().subscribe(event_name<WorkspaceIdle>, [this](const bus::Delivery& delivery) {
        if (auto intent = delivery.as<WorkspaceIdle>()) intents.push_back(std::move(*intent));
    });
    cluster.start("reaper");
    std::ignore = host->enrol();
}

void ReaperStage::restart_reaper() {
    cluster.process("reaper").kill();
    cluster.start("reaper");
}

void ReaperStage::speak() {
    if (!beats || clock_.now() < next_word_) return;
    next_word_ = clock_.now() + word_every;
    auto& endpoint = host->peer().endpoint();
    HostHeartbeat beat{.host = {"h-1"}, .incarnation = {"i-h-1"}};
    for (const auto& [slot, report] : host->reports()) beat.slots.push_back(report);
    endpoint.publish(beat);
    endpoint.request<HostHeartbeat>(beat, Duration{1'000}, [](Result<HostOrders>) {});
    if (!reads) return;
    HostActivity activity{.host = {"h-1"}, .incarnation = {"i-h-1"}, .read_at = clock_.now()};
    for (const auto& report : beat.slots) {
        if (report.phase != SlotPhase::bound) continue;
        auto said = signals;
        if (said.empty()) said.push_back({"http", knows_signals ? std::optional{last_used()} : std::nullopt});
        activity.workspaces.push_back({report.workspace, report.epoch, std::move(said)});
    }
    endpoint.publish(activity);
    if (!stops_when_idle) return;
    for (const auto& intent : intents) {
        if (intent.stop_at <= clock_.now()) host->stop_by_itself(intent.slot, intent.epoch, "idle");
    }
}

bool ReaperStage::turn_until(const std::function<bool()>& is_so, Duration within) {
    return eventually([&] {
        speak();
        for (auto* peer : {&host->peer(), &*robot, &*provider}) peer->until([] { return false; }, Duration{2});
        return is_so();
    }, within);
}

bool ReaperStage::until(const std::function<bool()>& is_so, Duration within) { return turn_until(is_so, within); }

bool ReaperStage::hears_for(Duration time) {
    const auto end = clock_.now() + time;
    return turn_until([&] { return clock_.now() >= end; }, time + Duration{5'000});
}

Result<ClaimReply> ReaperStage::claim(const std::string& user, std::optional<Duration> ttl) {
    std::optional<Result<ClaimReply>> reply;
    robot->endpoint().request<ClaimRequest>({.key = {"k-" + user}, .user = {user}, .project = {"site"}, .wait_ms = Duration{8'000}, .ttl_ms = ttl},
                                            Duration{9'000}, [&](Result<ClaimReply> got) { reply = std::move(got); });
    turn_until([&] { return reply.has_value(); }, Duration{10'000});
    return reply ? std::move(*reply) : Result<ClaimReply>{fail(ErrorKind::timeout, "no reply at all")};
}

View ReaperStage::view() {
    auto reply = ask<ViewReply>(robot->endpoint(), ViewRequest{});
    return reply ? std::move(reply->view) : View{};
}

std::optional<WorkspaceView> ReaperStage::workspace(const WorkspaceId& id) {
    const auto all = view().workspaces;
    const auto at = all.find(id);
    return at == all.end() ? std::nullopt : std::optional{at->second};
}

void ReaperStage::object(const WorkspaceIdle& intent) {
    host->peer().endpoint().publish(HostObjected{.host = {"h-1"}, .workspace = intent.workspace, .epoch = intent.epoch,
                                                 .signals = {{"http", clock_.now()}}},
                                    {.subject = intent.workspace.value});
}

void ReaperStage::list(std::vector<Instance> instances) {
    provider->endpoint().publish(ProviderSnapshot{.provider = "local", .read_at = clock_.now(), .complete = true, .instances = std::move(instances)});
}

}  // namespace berth::testing
