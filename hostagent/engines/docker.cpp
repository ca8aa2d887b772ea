// SPDX-License-Identifier: Apache-2.0
#include "hostagent/engines/docker.hpp"

#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/hash.hpp"
#include "docker/client.hpp"
#include "hostagent/engines/egress.hpp"
#include "hostagent/engines/late_home.hpp"
#include "hostagent/local_http.hpp"

namespace berth {

namespace {

using Json = nlohmann::json;

constexpr Duration health_poll{25};
constexpr Duration health_patience{1'000};
constexpr int polls_per_look = 20;         // between two looks whether it still runs
constexpr auto label_cluster = "berth.cluster", label_host = "berth.host", label_slot = "berth.slot",
               label_container = "berth.container", label_port = "berth.port";

std::string message_of(const docker::Answer& answer) {
    const auto body = Json::parse(answer.body, nullptr, false);
    if (body.is_object() && body.contains("message") && body["message"].is_string()) return body["message"];
    return fmt::format("status {}", answer.status);
}

std::string text_in(const Json& object, const char* name) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<std::uint32_t> number_in(const Json& object, const char* name) {
    const auto text = text_in(object, name);
    std::uint32_t number = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
    return bad == std::errc{} && end == text.data() + text.size() ? std::optional{number} : std::nullopt;
}

/// Nothing when the labels are not as we write them: it is not ours, whatever it claims.
std::optional<FoundContainer> read_entry(const Json& entry) {
    const auto& labels = entry.is_object() && entry.contains("Labels") ? entry["Labels"] : Json();
    const auto container = text_in(labels, label_container);
    const auto slot = number_in(labels, label_slot);
    if (container.empty() || !slot) return std::nullopt;
    return FoundContainer{.container = {container}, .slot = *slot, .port = number_in(labels, label_port).value_or(0),
                          .health = text_in(entry, "State") == "running" ? Health::running : Health::exited};
}

Error refusal(const docker::Answer& answer, std::string_view what) {
    return {ErrorKind::unavailable, fmt::format("the container engine refused to {}: {}", what, message_of(answer))};
}

bool is_healthy(std::uint32_t port, const std::string& path) {
    const auto answer = hostagent::get_local(port, path, health_patience);
    return answer && answer->status == 200;
}

class DockerEngine final : public Engine {
public:
    DockerEngine(DockerPolicy policy, std::string host, std::string slots_dir)
        : policy_(std::move(policy)), http_(policy_.socket), host_(std::move(host)), slots_dir_(std::move(slots_dir)),
          network_("berth-" + to_hex(hash_of(policy_.cluster)).substr(0, 8)) {}

    Result<void> check_ready() override {
        const auto ping = TRY(http_.call("GET", "/_ping", "", policy_.call_deadline));
        if (ping.status != 200) return fail(refusal(ping, "answer a ping"));
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

    Result<void> remove(const ContainerId& container, std::uint32_t, Duration deadline) override {
        const auto answer = TRY(http_.call("DELETE", "/containers/" + container.value + "?force=1&v=1", "", deadline));
        if (answer.status == 409) {  // its removal is under way already: wait for it
            TRY(http_.call("POST", "/containers/" + container.value + "/wait?condition=removed", "", deadline));
        } else if (answer.status != 204 && answer.status != 404) {
            return fail(refusal(answer, "remove container " + container.value));
        }
        return close_slot_folder(folder_of(container));
    }

    Result<std::vector<FoundContainer>> list() override {
        const Json filters{{"label", {fmt::format("{}={}", label_cluster, policy_.cluster), fmt::format("{}={}", label_host, host_)}}};
        const auto answer = TRY(http_.call("GET", "/containers/json?all=1&filters=" + docker::Client::escape(filters.dump()), "", policy_.call_deadline));
        if (answer.status != 200) return fail(refusal(answer, "list containers"));
        const auto body = Json::parse(answer.body, nullptr, false);
        if (!body.is_array()) return fail(ErrorKind::invalid, "the container engine's list is not JSON");
        std::vector<FoundContainer> found;
        for (const auto& entry : body) {
            if (auto one = read_entry(entry)) found.push_back(std::move(*one));
        }
        return found;
    }

    // dockerd 20.10 takes up to a second for it, one-shot or not.
    Result<Usage> usage(const ContainerId& container) override {
        const auto answer = TRY(http_.call("GET", "/containers/" + container.value + "/stats?stream=false&one-shot=true", "", policy_.call_deadline));
        if (answer.status != 200) return fail(refusal(answer, "read the usage of " + container.value));
        const auto body = Json::parse(answer.body, nullptr, false);
        if (!body.is_object() || !body.contains("cpu_stats")) return fail(ErrorKind::invalid, "usage without cpu_stats");
        Usage usage{.cpu_ns = body["cpu_stats"].value("cpu_usage", Json::object()).value("total_usage", std::uint64_t{0})};
        const auto blocks = body.value("blkio_stats", Json::object()).value("io_service_bytes_recursive", Json());
        if (blocks.is_array()) {
            for (const auto& entry : blocks) usage.io_bytes += entry.value("value", std::uint64_t{0});
        }
        return usage;
    }

private:
    std::string folder_of(const ContainerId& container) const { return slots_dir_ + "/" + container.value; }

    Result<void> start(const PrepareOrder& order) {
        const auto deadline = std::chrono::steady_clock::now() + order.deadline;
        const auto folder = folder_of(order.container);
        TRY(open_slot_folder(folder, {policy_.uid, policy_.uid}, policy_.slot_folder_bytes));
        const auto made = TRY(http_.call("POST", "/containers/create?name=" + order.container.value,
                                         docker_template(policy_, host_, network_, folder, order), policy_.call_deadline));
        if (made.status != 201) return fail(refusal(made, "create container " + order.container.value));
        const auto started = TRY(http_.call("POST", "/containers/" + order.container.value + "/start", "", policy_.call_deadline));
        if (started.status != 204 && started.status != 304) return fail(refusal(started, "start container " + order.container.value));
        TRY(close_its_egress(order.container));
        return wait_until_healthy(order, deadline);
    }

    // Before it has a user. Nothing that it did until then was a user's.
    Result<void> close_its_egress(const ContainerId& container) const {
        const auto state = TRY(state_of(container));
        const auto process = state.value("Pid", 0);
        if (process <= 0) return {};           // it has ended, and its health will say so
        if (const auto closed = close_egress(process, TRY(what_is_closed()), policy_.call_deadline); !closed) {
            TRY(refuse_ended(container));
            return fail(closed.error().kind, "cannot keep the container {} from what no workspace may reach: {}", container.value, closed.error().text);
        }
        return {};
    }

    // Its neighbours too: podman ignores enable_icc.
    Result<std::vector<std::string>> what_is_closed() const {
        const auto answer = TRY(http_.call("GET", "/networks/" + network_, "", policy_.call_deadline));
        if (answer.status != 200) return fail(refusal(answer, "tell of the network " + network_));
        const auto network = Json::parse(answer.body, nullptr, false);
        auto closed = policy_.closed;
        if (network.is_object()) {
            for (const auto& part : network.value("/IPAM/Config"_json_pointer, Json::array())) closed.push_back(part.value("Subnet", ""));
        }
        if (closed.size() == policy_.closed.size()) return fail(ErrorKind::unavailable, "the engine names no subnet of its network {}", network_);
        return closed;
    }

    Result<void> wait_until_healthy(const PrepareOrder& order, std::chrono::steady_clock::time_point deadline) const {
        for (int polls = 1; !is_healthy(order.port, policy_.health_path); ++polls) {
            if (polls % polls_per_look == 0) TRY(refuse_ended(order.container));
            if (std::chrono::steady_clock::now() >= deadline) {
                return fail(ErrorKind::timeout, "the environment in {} never became healthy: 127.0.0.1:{}{} gave no 200 within {}",
                            order.container.value, order.port, policy_.health_path, to_text(order.deadline));
            }
            std::this_thread::sleep_for(health_poll);
        }
        return {};
    }

    Result<Json> state_of(const ContainerId& container) const {
        const auto answer = TRY(http_.call("GET", "/containers/" + container.value + "/json", "", policy_.call_deadline));
        if (answer.status != 200) return fail(refusal(answer, "describe container " + container.value));
        const auto body = Json::parse(answer.body, nullptr, false);
        return body.is_object() ? body.value("State", Json::object()) : Json::object();
    }

    Result<void> refuse_ended(const ContainerId& container) const {
        const auto state = TRY(state_of(container));
        if (state.value("Running", true)) return {};
        return fail(ErrorKind::unavailable, "the environment in {} ended with status {} before it was healthy", container.value,
                    state.value("ExitCode", -1));
    }

    Result<void> have_image() {
        const auto there = TRY(http_.call("GET", "/images/" + policy_.image + "/json", "", policy_.call_deadline));
        if (there.status == 200) return {};
        if (policy_.image_tar.empty()) {
            return fail(ErrorKind::not_found, "the container engine has no image '{}' and no image_tar is configured; run script/image", policy_.image);
        }
        const auto path = fmt::format("/images/create?fromSrc=-&repo={}&changes={}&changes={}",
                                      docker::Client::escape(policy_.image),       // with its tag: podman knows no `tag` here
                                      docker::Client::escape(fmt::format("USER {}", policy_.uid)),
                                      docker::Client::escape("ENTRYPOINT [\"/usr/local/bin/berth-workspace\"]"));
        const auto made = TRY(http_.upload(path, policy_.image_tar, policy_.import_deadline));
        if (made.status != 200 || made.body.find("\"error\"") != std::string::npos) return fail(refusal(made, "import " + policy_.image_tar));
        return {};
    }

    // Neighbours on it cannot reach each other (I28).
    Result<void> have_network() {
        const auto there = [this] { return http_.call("GET", "/networks/" + network_, "", policy_.call_deadline); };
        if (TRY(there()).status == 200) return {};
        const Json body{{"Name", network_}, {"Driver", "bridge"}, {"CheckDuplicate", true}, {"Labels", {{label_cluster, policy_.cluster}}},
                        {"Options", {{"com.docker.network.bridge.enable_icc", "false"}}}};
        const auto made = TRY(http_.call("POST", "/networks/create", body.dump(), policy_.call_deadline));
        if (made.status == 201 || TRY(there()).status == 200) return {};      // another made it first: 409, and podman's 500
        return fail(refusal(made, "create the network " + network_));
    }

    DockerPolicy policy_;
    docker::Client http_;
    std::string host_;
    std::string slots_dir_;
    std::string network_;
};

}  // namespace

std::string docker_template(const DockerPolicy& policy, const std::string& host, const std::string& network,
                            const std::string& slot_folder, const PrepareOrder& order) {
    const auto inside = fmt::format("{}/tcp", policy.port_inside);
    const auto user = fmt::format("{}:{}", policy.uid, policy.uid);
    return Json{
        {"Image", policy.image},
        {"User", user},
        {"Env", {"HOME=/berth/home"}},
        {"WorkingDir", "/berth/home"},
        {"Labels", {{label_cluster, policy.cluster}, {label_host, host}, {label_slot, std::to_string(order.slot)},
                    {label_container, order.container.value}, {label_port, std::to_string(order.port)}}},
        {"ExposedPorts", {{inside, Json::object()}}},
        {"HostConfig",
         {{"NetworkMode", network},
          {"PortBindings", {{inside, Json::array({{{"HostIp", "127.0.0.1"}, {"HostPort", std::to_string(order.port)}}})}}},
          {"Mounts", Json::array({{{"Type", "bind"}, {"Source", slot_folder}, {"Target", "/berth"},
                                   {"BindOptions", {{"Propagation", "rslave"}}}}})},
          {"Tmpfs", {{"/tmp", "rw,nosuid,nodev,size=512m,mode=1777"}, {"/run", "rw,nosuid,nodev,noexec,size=16m,mode=0755"}}},
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
