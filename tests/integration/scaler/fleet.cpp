// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/scaler/fleet.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

#include "os/program.hpp"
#include "scaler/providers/local/local.hpp"


namespace berth::testing {

namespace {

constexpr Duration term_wait{3'000};
constexpr Duration kill_wait{3'000};
constexpr Duration ending_wait{10'000};
constexpr Duration ask_wait{10'000};

std::string config_of(const std::string& pool, const std::string& scaler, const std::string& more) {
    return fmt::format(
        "[pool.default]\nstandbys = 0\n{}\n"
        "[scaler]\ntick = \"50ms\"\nlist_every = \"250ms\"\nretry = \"100ms\"\nretry_max = \"500ms\"\n{}\n"
        "[hostagent]\ntick = \"50ms\"\nproxy_program = \"none\"\nregister_retry = \"100ms\"\nregister_retry_max = \"500ms\"\n{}\n",
        pool, scaler, more);
}

std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) names.push_back(entry.path().filename().string());
    return names;
}

std::vector<std::string> words_of(const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/cmdline", std::ios::binary);
    std::vector<std::string> words;
    for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
    return words;
}

}  // namespace

Fleet::Fleet(const std::string& pool, const std::string& scaler, const std::string& more)
    : cluster(config_of(pool, scaler, more)) {}

Fleet::~Fleet() {
    try {
        cluster.process("scaler").kill();         // or it would start them again
    } catch (const std::out_of_range&) {          // it was never started
    }
    end_agents();
}

void Fleet::start() {
    cluster.start("broker");
    cluster.start("allocator");
    start_peers();
    cluster.start("scaler");
}

void Fleet::start_peers() {
    robot.reset();
    robot.emplace(cluster, "robot", Role::client);
}

void Fleet::stop_like_up() {
    cluster.process("scaler").terminate();
    end_agents();
    cluster.process("allocator").terminate();
    cluster.process("broker").terminate();
}

void Fleet::end_agents() const {
    for (const auto& host : names_in(cluster.state() + "/hosts")) {
        const auto folder = folder_of({host});
        if (const auto agent = scaler::find_program(folder + "/agent.pid", folder)) {
            std::ignore = agent->end(term_wait, kill_wait);
        }
        const auto ender = os::start_program({.arguments = {std::string{BERTH_BIN_DIR} + "/berth-hostagent", "--state", folder, "--host-id",
                                                            host, "--config", cluster.config(), "--end-environments"},
                                              .output = cluster.state() + "/log/" + host + ".log"});
        if (ender) std::ignore = os::wait_for(ender->pid, ending_wait);
    }
}

View Fleet::view() {
    View found;
    until([&](const View& view) { return (found = view, true); });
    return found;
}

bool Fleet::until(const std::function<bool(const View&)>& is_so, Duration within) {
    return eventually([&] {
        const auto reply = robot->ask(ViewRequest{}, ask_wait);
        return reply && is_so(reply->view);
    }, within);
}

std::vector<FactRecord> Fleet::facts() {
    const auto reply = robot->ask(FactsRequest{.limit = 5'000});
    return reply ? reply->facts : std::vector<FactRecord>{};
}

Result<ClaimReply> Fleet::claim(const std::string& user, Duration wait) {
    return robot->ask(ClaimRequest{.key = {"k-" + user}, .user = {user}, .project = {"site"}, .wait_ms = wait}, wait + Duration{1'000});
}

std::optional<SlotPhase> Fleet::phase_of(const WorkspaceId& id) {
    Result<ViewReply> reply = fail(ErrorKind::internal, "not asked");
    if (!eventually([&] { return (reply = robot->ask(ViewRequest{}, ask_wait)).has_value(); })) return std::nullopt;
    for (const auto& beat : reply->heartbeats) {
        for (const auto& slot : beat.slots) {
            if (slot.workspace == id) return slot.phase;
        }
    }
    return std::nullopt;
}

std::vector<scaler::LocalInstance> Fleet::instances() const {
    std::vector<scaler::LocalInstance> found;
    for (const auto& host : names_in(cluster.state() + "/hosts")) {
        if (auto instance = scaler::read_instance(folder_of({host}) + "/instance.json")) found.push_back(std::move(*instance));
    }
    return found;
}

std::vector<pid_t> Fleet::agents_of(const HostId& host) const {
    std::vector<pid_t> found;
    for (const auto& name : names_in("/proc")) {
        pid_t pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{}) continue;
        const auto words = words_of(name);
        const bool agent = !words.empty() && words.front().ends_with("/berth-hostagent");
        if (agent && std::find(words.begin(), words.end(), folder_of(host)) != words.end()) found.push_back(pid);
    }
    return found;
}

void Fleet::kill_agent(const HostId& host) const {
    const auto folder = folder_of(host);
    const auto agent = scaler::find_program(folder + "/agent.pid", folder);
    if (!agent) return;
    agent->signal(SIGKILL);
    agent->ended_within(kill_wait);
}

// ---- what must hold of every story

std::uint32_t live_hosts(const View& view) {
    return static_cast<std::uint32_t>(std::count_if(view.hosts.begin(), view.hosts.end(),
                                                    [](const auto& entry) { return entry.second.liveness == Liveness::live; }));
}

std::uint32_t free_slots(const View& view) {
    std::uint32_t count = 0;
    for (const auto& [id, host] : view.hosts) {
        if (host.liveness == Liveness::live && host.admission == Admission::open) count += host.count(SlotUse::free);
    }
    return count;
}

std::string wrong_ends(const std::vector<FactRecord>& facts) {
    View view;
    for (const auto& record : facts) {
        if (const auto* lease = std::get_if<LeaseGranted>(&record.fact)) {
            const auto& host = view.hosts.at(lease->host);
            if (host.admission != Admission::open) return fmt::format("a lease on {} after its {}", lease->host.value, to_string(host.admission));
        } else if (const auto* drained = std::get_if<HostDrained>(&record.fact)) {
            const auto& host = view.hosts.at(drained->host.host);
            if (host.admission != Admission::cordoned || !host.idle()) return drained->host.host.value + " was not cordoned and idle";
        } else if (const auto* gone = std::get_if<HostGone>(&record.fact)) {
            const auto& host = view.hosts.at(gone->host.host);
            if (host.admission != Admission::draining || !host.idle()) return gone->host.host.value + " was ended without a permit";
        }
        apply(view, record);
    }
    return {};
}

std::string wrong_launches(Fleet& fleet) {
    std::set<LaunchId> wanted;
    for (const auto& started : fleet.facts_of<LaunchStarted>()) {
        if (!wanted.insert(started.launch).second) return "one launch id was given twice: " + started.launch.value;
    }
    for (const auto& failed : fleet.facts_of<LaunchFailed>()) wanted.erase(failed.launch);
    std::set<LaunchId> found;
    for (const auto& instance : fleet.instances()) {
        if (!found.insert(instance.launch).second) return "two instances of launch " + instance.launch.value;
        const auto agents = fleet.agents_of({instance.host}).size();
        if (agents != 1) return fmt::format("{} agents of {}", agents, instance.host);
    }
    if (found != wanted) return fmt::format("{} launches and {} instances", wanted.size(), found.size());
    return {};
}

}  // namespace berth::testing
