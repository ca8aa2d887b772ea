// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "docker/client.hpp"
#include "docker/refusal.hpp"

namespace berth::docker {

namespace {

using Json = nlohmann::json;

constexpr Duration longest_turn{100};

std::string text_in(const Json& object, const char* name) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::int64_t number_in(const Json& object, const char* name, std::int64_t otherwise) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found != object.end() && found->is_number() ? found->get<std::int64_t>() : otherwise;
}

Container read_container(const Json& entry) {
    Container container{.id = text_in(entry, "Id"), .labels = {}, .state = text_in(entry, "State")};
    if (!entry.is_object() || !entry.contains("Labels") || !entry["Labels"].is_object()) return container;
    for (const auto& [name, value] : entry["Labels"].items()) {
        if (value.is_string()) container.labels[name] = value;
    }
    return container;
}

}  // namespace

Result<void> Client::create_container(const std::string& name, const std::string& body) const {
    const auto made = TRY(call({.method = "POST", .path = "/containers/create?name=" + escape(name), .json = body}));
    return made.status == 201 ? Result<void>{} : refused(made, "create container " + name);
}

Result<void> Client::start_container(const std::string& container) const {
    const auto started = TRY(call({.method = "POST", .path = "/containers/" + container + "/start"}));
    return started.status == 204 || started.status == 304 ? Result<void>{} : refused(started, "start container " + container);
}

Result<ContainerState> Client::container_state(const std::string& container) const {
    const auto answer = TRY(call({.path = "/containers/" + container + "/json"}));
    if (answer.status == 404) return fail(ErrorKind::not_found, "the container engine has no container {}", container);
    if (answer.status != 200) return refused(answer, "describe container " + container);
    const auto body = Json::parse(answer.body, nullptr, false);
    const auto state = body.is_object() ? body.value("State", Json::object()) : Json::object();
    return ContainerState{.running = state.is_object() && state.value("Running", true), .pid = number_in(state, "Pid", 0),
                          .exit_code = number_in(state, "ExitCode", -1),
                          .out_of_memory = state.is_object() && state.value("OOMKilled", false)};
}

// dockerd 20.10 takes up to a second for it, one-shot or not.
Result<ContainerStats> Client::container_stats(const std::string& container) const {
    const auto answer = TRY(call({.path = "/containers/" + container + "/stats?stream=false&one-shot=true"}));
    if (answer.status != 200) return refused(answer, "read the usage of " + container);
    const auto body = Json::parse(answer.body, nullptr, false);
    if (!body.is_object() || !body.contains("cpu_stats")) return fail(ErrorKind::invalid, "usage of {} without cpu_stats", container);
    ContainerStats stats{.cpu_ns = body["cpu_stats"].value("cpu_usage", Json::object()).value("total_usage", std::uint64_t{0})};
    const auto blocks = body.value("blkio_stats", Json::object()).value("io_service_bytes_recursive", Json());
    if (blocks.is_array()) {
        for (const auto& entry : blocks) stats.io_bytes += entry.value("value", std::uint64_t{0});
    }
    const auto networks = body.value("networks", Json::object());
    for (const auto& network : networks) stats.net_bytes += network.value("rx_bytes", std::uint64_t{0}) + network.value("tx_bytes", std::uint64_t{0});
    return stats;
}

Result<void> Client::remove_container(const std::string& container, Duration deadline) const {
    const auto answer = TRY(call({.method = "DELETE", .path = "/containers/" + container + "?force=1&v=1", .deadline = deadline}));
    if (answer.status == 409) {               // its removal is under way already: wait for it
        TRY(call({.method = "POST", .path = "/containers/" + container + "/wait?condition=removed", .deadline = deadline}));
        return {};
    }
    return answer.status == 204 || answer.status == 404 ? Result<void>{} : refused(answer, "remove container " + container);
}

void Client::remove_containers(const std::vector<std::string>& containers, Duration deadline) const {
    const auto spoken = version(deadline);
    if (!spoken) return;
    auto all = client();
    std::size_t open = containers.size();
    for (const auto& container : containers) {
        const Call wanted{.method = "DELETE", .path = "/containers/" + container + "?force=1&v=1", .deadline = deadline};
        all.start(request_of(wanted, "/v" + to_text(*spoken)), [&open](const Result<Answer>&) { --open; });
    }
    while (open > 0) all.turn(longest_turn);
}

Result<std::vector<Container>> Client::containers(const std::vector<std::string>& labels) const {
    const Json filters{{"label", labels}};
    const auto answer = TRY(call({.path = "/containers/json?all=1&filters=" + escape(filters.dump())}));
    if (answer.status != 200) return refused(answer, "list containers");
    const auto listed = Json::parse(answer.body, nullptr, false);
    if (!listed.is_array()) return fail(ErrorKind::invalid, "the container engine's list of containers is no list");
    if (listed.size() > containers_max) return fail(ErrorKind::limit, "the container engine lists over {} containers", containers_max);
    std::vector<Container> found;
    for (const auto& entry : listed) found.push_back(read_container(entry));
    return found;
}

}  // namespace berth::docker
