// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "docker/client.hpp"
#include "docker/refusal.hpp"

namespace berth::docker {

using Json = nlohmann::json;

Result<bool> Client::has_image(const std::string& image) const {
    const auto answer = TRY(call({.path = "/images/" + image + "/json"}));
    if (answer.status == 404) return false;
    return answer.status == 200 ? Result<bool>{true} : refused(answer, "look for the image " + image);
}

Result<void> Client::import_image(const std::string& tar, const std::string& image, const std::vector<std::string>& changes,
                                  Duration deadline, http::Client::OnUpload progress) const {
    auto path = "/images/create?fromSrc=-&repo=" + escape(image);     // with its tag: podman knows no `tag` here
    for (const auto& change : changes) path += "&changes=" + escape(change);
    const auto answer = TRY(call({.method = "POST", .path = path, .file = tar, .deadline = deadline, .progress = std::move(progress)}));
    // The engine answers 200 first and may report a failure in the stream that follows.
    const bool good = answer.status == 200 && answer.body.find("\"error\"") == std::string::npos;
    return good ? Result<void>{} : refused(answer, fmt::format("import {} as {}", tar, image));
}

Result<bool> Client::has_network(const std::string& network) const {
    const auto answer = TRY(call({.path = "/networks/" + network}));
    if (answer.status == 404) return false;
    return answer.status == 200 ? Result<bool>{true} : refused(answer, "tell of the network " + network);
}

Result<void> Client::create_network(const std::string& network, const std::string& body) const {
    const auto made = TRY(call({.method = "POST", .path = "/networks/create", .json = body}));
    if (made.status == 201 || TRY(has_network(network))) return {};    // another made it first: 409, and podman's 500
    return refused(made, "create the network " + network);
}

Result<std::vector<std::string>> Client::subnets(const std::string& network) const {
    const auto answer = TRY(call({.path = "/networks/" + network}));
    if (answer.status != 200) return refused(answer, "tell of the network " + network);
    const auto body = Json::parse(answer.body, nullptr, false);
    std::vector<std::string> found;
    if (!body.is_object()) return found;
    const auto parts = body.value("/IPAM/Config"_json_pointer, Json::array());
    for (const auto& part : parts) {
        if (part.is_object()) found.push_back(part.value("Subnet", ""));
    }
    return found;
}

Result<bool> Client::remove_networks(const std::string& label, Duration deadline) const {
    const auto filters = "?filters=" + escape(Json{{"label", {label}}}.dump());
    const auto pruned = TRY(call({.method = "POST", .path = "/networks/prune" + filters, .deadline = deadline}));
    if (pruned.status != 200) return refused(pruned, "remove the network of " + label);
    // The engine passes over those that are still in use, and says 200.
    const auto answer = TRY(call({.path = "/networks" + filters}));
    if (answer.status != 200) return refused(answer, "list networks");
    return Json::parse(answer.body, nullptr, false) == Json::array();
}

}  // namespace berth::docker
