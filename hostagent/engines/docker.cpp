// SPDX-License-Identifier: Apache-2.0
#include "hostagent/engines/docker.hpp"

#include <charconv>
#include <chrono>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/hash.hpp"
#include "docker/client.hpp"
#include "hostagent/engines/egress.hpp"
#include "hostagent/engines/late_home.hpp"
#include "hostagent/engines/memory_kills.hpp"
#include "hostagent/engines/work.hpp"
#include "http/client.hpp"

namespace berth {

namespace {

using Json = nlohmann::json;

constexpr Duration health_poll{25};
constexpr Duration health_patience{1'000};
constexpr int polls_per_look = 20;         // between two looks whether it still runs
constexpr auto label_cluster = "berth.cluster", label_host = "berth.host", label_slot = "berth.slot",
               label_container = "berth.container", label_port = "berth.port";

std::optional<std::uint32_t> number_in(const std::map<std::string, std::string>& labels, const char* name) {
    const auto found = labels.find(name);
    if (found == labels.end()) return std::nullopt;
    const auto& text = found->second;
    std::uint32_t number = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
    return bad == std::errc{} && end == text.data() + text.size() ? std::optional{number} : std::nullopt;
}

/// Only what has ended is given up: what is paused, restarting or being removed is somebody's doing, and may go on.
Health health_of(const std::string& state) {
    if (state == "running") return Health::running;
    return state == "exited" || state == "dead" ? Health::exited : Health::suspended;
}

/// Nothing when the labels are not as we write them: it is not ours, whatever it claims.
std::optional<FoundContainer> read_entry(const docker::Container& entry) {
    const auto container = entry.labels.find(label_container);
    const auto slot = number_in(entry.labels, label_slot);
    if (container == entry.labels.end() || container->second.empty() || !slot) return std::nullopt;
    return FoundContainer{.container = {container->second}, .slot = *slot, .port = number_in(entry.labels, label_port).value_or(0),
                          .health = health_of(entry.state), .told = {}};
}

bool is_healthy(const std::string& socket, const std::string& path) {
    const auto answer = http::get_local(socket, path, health_patience);
    return answer && answer->status == 200;
}

class DockerEngine final : public Engine {
public:
    DockerEngine(DockerPolicy policy, std::string host, std::string slots_dir)
        : policy_(std::move(policy)), engine_({.socket = policy_.socket, .deadline = policy_.call_deadline}), host_(std::move(host)),
          slots_dir_(std::move(slots_dir)), network_("berth-" + to_hex(hash_of(policy_.cluster)).substr(0, 8)) {}

    Result<void> check_ready() override {
        TRY(engine_.ping(policy_.call_deadline));
        TRY(egress_rules(IpFamily::v4, policy_.closed));
        TRY(have_image());
        return have_network();
    }

    Result<void> prepare(const PrepareOrder& order) override {
        auto outcome = start(order);
        if (!outcome) (void)remove(order.container, order.slot, policy_.call_deadline);  // the first error is the one to tell
        return outcome;
    }

    Result<void> bind(const EngineBind& order) override {
        return mount_home(folder_of(order.container), order.home, {policy_.uid, policy_.uid});
    }

    // Its first process hands the word on to all (script/image-init.cpp).
    Result<void> ask_to_end(const ContainerId& container, std::uint32_t, Duration grace) override {
        const auto seconds = (grace + Duration{999}).count() / 1'000;
        const auto answer = TRY(engine_.call("POST", fmt::format("/containers/{}/stop?t={}", container.value, seconds), "",
                                           grace + policy_.call_deadline));
        if (answer.status != 204 && answer.status != 304 && answer.status != 404) {
            return fail(ErrorKind::unavailable, "the container engine refused to stop container {}: {}", container.value, docker::message_of(answer));
        }
        return {};
    }

    Result<void> remove(const ContainerId& container, std::uint32_t, Duration deadline) override {
        {
            const std::lock_guard guard(counting_);
            counters_.erase(container);
        }
        TRY(engine_.remove_container(container.value, deadline));
        return close_slot_folder(folder_of(container));
    }

    Result<std::vector<FoundContainer>> list() override {
        const auto listed = TRY(engine_.containers({fmt::format("{}={}", label_cluster, policy_.cluster),
                                                    fmt::format("{}={}", label_host, host_)}));
        std::vector<FoundContainer> found;
        const std::lock_guard guard(counting_);
        kills_.read();
        for (const auto& entry : listed) {
            auto one = read_entry(entry);
            if (!one) continue;
            one->told = what_happened(entry, *one);
            found.push_back(std::move(*one));
        }
        return found;
    }

    // By /proc, which tells the editor's server from its user's work; where it shows nothing (an engine on
    // another machine, or not as root), by the engine's numbers of the whole container.
    Result<Usage> usage(const ContainerId& container) override {
        const auto state = TRY(engine_.container_state(container.value));
        if (state.pid <= 0) return fail(ErrorKind::unavailable, "container {} does not run", container.value);
        if (const auto look = look_at_work(static_cast<pid_t>(state.pid))) {
            const std::lock_guard guard(counting_);
            return counters_[container].add(*look);
        }
        const auto stats = TRY(engine_.container_stats(container.value));
        return Usage{.cpu_ns = stats.cpu_ns, .io_bytes = stats.io_bytes, .net_bytes = stats.net_bytes, .jobs = {}};
    }

    std::string shared_folder(const ContainerId& container) const override { return folder_of(container); }

private:
    std::string folder_of(const ContainerId& container) const { return slots_dir_ + "/" + container.value; }

    std::string memory_limit() const { return fmt::format("its limit is {} MiB", policy_.memory_bytes >> 20); }

    // The same text as long as nothing new happens.
    std::string what_happened(const docker::Container& entry, const FoundContainer& found) const {
        const auto* kills = kills_.of(entry.id);
        const auto killed = !kills ? std::string{}
                          : fmt::format("out of memory ({}): the system ended {} at {}{}", memory_limit(), kills->program, to_rfc3339(kills->at),
                                        kills->count == 1 ? "" : fmt::format(", and {} before", kills->count - 1));
        if (found.health == Health::running) return killed;
        if (found.health == Health::suspended) {
            return entry.state == "paused" ? fmt::format("paused by somebody: `docker unpause {}` lets it go on", found.container.value)
                                           : fmt::format("the container engine calls it {}", entry.state);
        }
        const auto state = engine_.container_state(found.container.value);
        if (!state) return killed;
        if (state->out_of_memory && killed.empty()) return fmt::format("status {}, out of memory ({})", state->exit_code, memory_limit());
        return fmt::format("status {}{}{}", state->exit_code, killed.empty() ? "" : ", ", killed);
    }

    Result<void> start(const PrepareOrder& order) {
        const auto deadline = std::chrono::steady_clock::now() + order.deadline;
        TRY(have_image());                     // somebody may have cleaned up since the last one
        TRY(have_network());
        const auto folder = folder_of(order.container);
        TRY(open_slot_folder(folder, {policy_.uid, policy_.uid}, policy_.slot_folder_bytes));
        TRY(engine_.create_container(order.container.value, docker_template(policy_, host_, network_, folder, order)));
        TRY(engine_.start_container(order.container.value));
        TRY(close_its_egress(order.container));
        return wait_until_healthy(order, deadline);
    }

    // Before it has a user. Nothing that it did until then was a user's.
    Result<void> close_its_egress(const ContainerId& container) const {
        const auto state = TRY(engine_.container_state(container.value));
        if (state.pid <= 0) return {};         // it has ended, and its health will say so
        if (const auto closed = close_egress(static_cast<pid_t>(state.pid), TRY(what_is_closed()), policy_.call_deadline); !closed) {
            TRY(refuse_ended(container));
            return fail(closed.error().kind, "cannot keep the container {} from what no workspace may reach: {}", container.value, closed.error().text);
        }
        return {};
    }

    // Its neighbours too: podman ignores enable_icc.
    Result<std::vector<std::string>> what_is_closed() const {
        auto closed = TRY(engine_.subnets(network_));
        if (closed.empty()) return fail(ErrorKind::unavailable, "the engine names no subnet of its network {}", network_);
        closed.insert(closed.end(), policy_.closed.begin(), policy_.closed.end());
        return closed;
    }

    Result<void> wait_until_healthy(const PrepareOrder& order, std::chrono::steady_clock::time_point deadline) const {
        const auto socket = folder_of(order.container) + "/run/editor.sock";
        for (int polls = 1; !is_healthy(socket, policy_.health_path); ++polls) {
            if (polls % polls_per_look == 0) TRY(refuse_ended(order.container));
            if (std::chrono::steady_clock::now() >= deadline) {
                return fail(ErrorKind::timeout, "the environment in {} never became healthy: {} gave no 200 at its socket within {}",
                            order.container.value, policy_.health_path, to_text(order.deadline));
            }
            std::this_thread::sleep_for(health_poll);
        }
        return {};
    }

    Result<void> refuse_ended(const ContainerId& container) const {
        const auto state = TRY(engine_.container_state(container.value));
        if (state.running) return {};
        return fail(ErrorKind::unavailable, "the environment in {} ended with status {} before it was healthy", container.value,
                    state.exit_code);
    }

    Result<void> have_image() {
        if (TRY(engine_.has_image(policy_.image))) return {};
        if (policy_.image_tar.empty()) {
            return fail(ErrorKind::not_found, "the container engine has no image '{}' and no image_tar is configured; run script/image", policy_.image);
        }
        return engine_.import_image(policy_.image_tar, policy_.image,
                                    {fmt::format("USER {}", policy_.uid), "ENTRYPOINT [\"/usr/local/bin/berth-workspace\"]"},
                                    policy_.import_deadline);
    }

    // Neighbours on it cannot reach each other (I28).
    Result<void> have_network() {
        if (TRY(engine_.has_network(network_))) return {};
        const Json body{{"Name", network_}, {"Driver", "bridge"}, {"CheckDuplicate", true}, {"Labels", {{label_cluster, policy_.cluster}}},
                        {"Options", {{"com.docker.network.bridge.enable_icc", "false"}}}};
        return engine_.create_network(network_, body.dump());
    }

    DockerPolicy policy_;
    docker::Client engine_;
    std::string host_;
    std::string slots_dir_;
    std::string network_;
    std::mutex counting_;
    std::map<ContainerId, WorkCounter> counters_;
    MemoryKills kills_;                    // by the same mutex
};

}  // namespace

std::string docker_template(const DockerPolicy& policy, const std::string& host, const std::string& network,
                            const std::string& slot_folder, const PrepareOrder& order) {
    const auto user = fmt::format("{}:{}", policy.uid, policy.uid);
    // Programs run in /tmp: compilers, installers and tests put them there.
    Json tmpfs{{"/run", "rw,nosuid,nodev,noexec,size=16m,mode=0755"}};
    Json volumes = Json::object();
    if (policy.tmp_bytes > 0) {
        tmpfs["/tmp"] = fmt::format("rw,exec,nosuid,nodev,size={},mode=1777", policy.tmp_bytes);
    } else {
        volumes["/tmp"] = Json::object();
    }
    return Json{
        {"Image", policy.image},
        {"User", user},
        {"Env", {"HOME=/berth/home", "BERTH_SOCKET=/berth/run/editor.sock", fmt::format("BERTH_STOP_GRACE_MS={}", order.grace.count())}},
        {"WorkingDir", "/berth/home"},
        {"Labels", {{label_cluster, policy.cluster}, {label_host, host}, {label_slot, std::to_string(order.slot)},
                    {label_container, order.container.value}, {label_port, std::to_string(order.port)}}},
        {"Volumes", volumes},
        {"HostConfig",
         {{"NetworkMode", network},
          {"Mounts", Json::array({{{"Type", "bind"}, {"Source", slot_folder}, {"Target", "/berth"},
                                   {"BindOptions", {{"Propagation", "rslave"}}}}})},
          {"Tmpfs", tmpfs},
          {"ReadonlyRootfs", true},
          {"Privileged", false},
          {"CapDrop", {"ALL"}},
          {"SecurityOpt", {"no-new-privileges"}},
          {"PidsLimit", policy.pids},
          {"Memory", policy.memory_bytes},
          {"MemorySwap", policy.memory_bytes},
          {"NanoCpus", static_cast<std::int64_t>(policy.cpus * 1e9)},
          {"Ulimits", Json::array({{{"Name", "nofile"}, {"Soft", 16384}, {"Hard", 16384}}})},
          {"IpcMode", "private"},
          {"OomScoreAdj", 500},
          {"RestartPolicy", {{"Name", "no"}}},
          {"LogConfig", {{"Type", "json-file"}, {"Config", {{"max-size", "1m"}, {"max-file", "1"}}}}}}},
    }.dump();
}

std::unique_ptr<Engine> make_docker_engine(DockerPolicy policy, std::string host, std::string slots_dir) {
    return std::make_unique<DockerEngine>(std::move(policy), std::move(host), std::move(slots_dir));
}

}  // namespace berth
