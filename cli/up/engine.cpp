// SPDX-License-Identifier: Apache-2.0
#include "cli/up/engine.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "cli/text.hpp"

namespace berth::cli {

namespace {

constexpr std::string_view api = "http://engine/v1.41";

Error refused(const HttpAnswer& answer, const std::string& what) {
    const auto body = nlohmann::json::parse(answer.body, nullptr, false);
    const auto message = body.is_object() ? body.value("message", std::string{}) : answer.body.substr(0, 300);
    return {ErrorKind::unavailable, fmt::format("the container engine could not {}: {} (HTTP {})", what,
                                                printable(message), answer.status)};
}

}  // namespace

EngineAnswer ask_engine(Http& http, const std::string& socket, const UpPolicy& policy, const GiveUp& give_up) {
    struct stat facts = {};
    if (::stat(socket.c_str(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) return {socket, "", ""};
    HttpRequest request{.url = "http://engine/_ping", .unix_socket = socket};
    request.timeout = policy.engine_answers_within;
    const auto answer = http.ask(std::move(request), {}, give_up);
    if (!answer) {
        return {socket, "", answer.error().kind == ErrorKind::timeout
                                ? fmt::format("no answer within {}", to_text(policy.engine_answers_within))
                                : "nobody listens"};
    }
    if (answer->status != 200) return {socket, "", fmt::format("HTTP {}", answer->status)};
    const auto version = answer->headers.find("api-version");
    return {socket, version == answer->headers.end() ? "unknown" : version->second, ""};
}

std::string program_on_path(const std::string& name) {
    const char* path = std::getenv("PATH");
    auto folders = split(path == nullptr ? "" : path, ':');
    for (const char* usual : {"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"}) folders.emplace_back(usual);
    for (const auto& folder : folders) {
        const auto candidate = folder + "/" + name;
        if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    return {};
}

HttpRequest DockerApi::request(const std::string& method, const std::string& path) const {
    HttpRequest made{.method = method, .url = std::string{api} + path, .unix_socket = socket_};
    made.connect_timeout = policy_.engine_answers_within;
    return made;
}

Result<bool> DockerApi::has_image(const std::string& name) {
    const auto answer = TRY(http_.ask(request("GET", "/images/" + name + "/json"), {}, give_up_));
    if (answer.status == 404) return false;
    if (answer.status != 200) return fail(refused(answer, "look for the image " + name));
    return true;
}

Result<void> DockerApi::import_image(const std::string& tar, const std::string& name,
                                     const std::vector<std::string>& changes, Http::OnUpload progress) {
    auto path = "/images/create?fromSrc=-&repo=" + url_encoded(name);    // with its tag: podman knows no `tag` here
    for (const auto& change : changes) path += "&changes=" + url_encoded(change);
    auto wanted = request("POST", path);
    wanted.upload_file = tar;
    wanted.content_type = "application/x-tar";
    wanted.timeout = policy_.image_within;
    const auto answer = TRY(http_.ask(std::move(wanted), std::move(progress), give_up_));
    // The engine answers 200 first and may report a failure in the stream that follows.
    if (answer.status != 200 || answer.body.find("\"error\"") != std::string::npos) {
        return fail(refused(answer, fmt::format("import {} as {}", tar, name)));
    }
    return {};
}

Result<std::vector<std::string>> DockerApi::containers(const std::string& label) {
    const nlohmann::json filters = {{"label", {label}}};
    const auto answer =
        TRY(http_.ask(request("GET", "/containers/json?all=true&filters=" + url_encoded(filters.dump())), {}, give_up_));
    if (answer.status != 200) return fail(refused(answer, "list containers"));
    const auto listed = nlohmann::json::parse(answer.body, nullptr, false);
    std::vector<std::string> ids;
    if (!listed.is_array()) return fail(ErrorKind::unavailable, "the container engine's list of containers is no list");
    for (const auto& entry : listed) {
        if (entry.contains("Id") && ids.size() < policy_.containers_max) ids.push_back(entry["Id"].get<std::string>());
    }
    return ids;
}

void DockerApi::remove(const std::vector<std::string>& ids, Duration within) {
    std::size_t open = ids.size();
    for (const auto& id : ids) {
        auto wanted = request("DELETE", "/containers/" + id + "?force=true&v=true");
        wanted.timeout = within;
        http_.start(std::move(wanted), [&open](const Result<HttpAnswer>&) { --open; });
    }
    while (open > 0) http_.turn(policy_.tick * 5);
}

Result<bool> DockerApi::remove_networks(const std::string& label, Duration within) {
    const auto filters = "?filters=" + url_encoded(nlohmann::json{{"label", {label}}}.dump());
    auto wanted = request("POST", "/networks/prune" + filters);
    wanted.timeout = within;
    const auto pruned = TRY(http_.ask(std::move(wanted), {}, give_up_));
    if (pruned.status != 200) return fail(refused(pruned, "remove the network of " + label));
    // The engine passes over those that are still in use, and says 200.
    const auto answer = TRY(http_.ask(request("GET", "/networks" + filters), {}, give_up_));
    if (answer.status != 200) return fail(refused(answer, "list networks"));
    return nlohmann::json::parse(answer.body, nullptr, false) == nlohmann::json::array();
}

}  // namespace berth::cli
