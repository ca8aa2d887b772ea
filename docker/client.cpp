// SPDX-License-Identifier: Apache-2.0
#include "docker/client.hpp"

#include <nlohmann/json.hpp>

namespace berth::docker {

namespace {

constexpr std::size_t words_max = 300;      // of an engine's refusal that is no JSON
constexpr auto host = "http://engine";      // a name only: the socket says who is asked

std::optional<ApiVersion> version_in(const nlohmann::json& object, const char* name) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found != object.end() && found->is_string() ? parse_version(found->get<std::string>()) : std::nullopt;
}

// "client version 1.41 is too old. Minimum supported API version is 1.44", and podman's alike.
bool refuses_version(const Answer& answer) {
    return answer.status == 400 && message_of(answer).find("version") != std::string::npos;
}

}  // namespace

std::string message_of(const Answer& answer) {
    const auto body = nlohmann::json::parse(answer.body, nullptr, false);
    if (body.is_object() && body.contains("message") && body["message"].is_string()) return body["message"];
    return answer.body.empty() ? fmt::format("status {}", answer.status)
                               : fmt::format("status {}: {}", answer.status, answer.body.substr(0, words_max));
}

http::Client Client::client() const { return http::Client({.give_up = setup_.give_up}); }

http::Request Client::request_of(const Call& wanted, const std::string& prefix) const {
    http::Request request{.method = std::string{wanted.method}, .url = host + prefix + wanted.path, .unix_socket = setup_.socket};
    request.deadline = wanted.deadline > Duration{0} ? wanted.deadline : setup_.deadline;
    request.connect_deadline = request.deadline;
    request.body_bytes_max = answer_bytes_max;
    request.body = wanted.json;
    request.body_file = wanted.file;
    if (wanted.method == "POST") request.content_type = wanted.file.empty() ? "application/json" : "application/x-tar";
    return request;
}

Result<Answer> Client::send(const Call& wanted, const std::string& prefix) const {
    auto request = request_of(wanted, prefix);
    const auto within = request.deadline;
    auto answer = client().ask(std::move(request), wanted.progress);
    if (answer) return answer;
    const auto& error = answer.error();
    if (error.kind == ErrorKind::timeout) {
        return fail(ErrorKind::timeout, "the container engine at {} did not answer {} {} within {}", setup_.socket, wanted.method,
                    wanted.path, berth::to_text(within));
    }
    if (error.kind != ErrorKind::unavailable) return fail(error);
    return fail(ErrorKind::unavailable, "the container engine at {} cannot be reached: {}", setup_.socket, error.text);
}

Result<ApiVersion> Client::ping(Duration deadline) const {
    const auto answer = TRY(send({.path = "/_ping", .deadline = deadline}, ""));
    if (answer.status != 200) {
        return fail(ErrorKind::conflict, "the container engine at {} refused to answer a ping: {}", setup_.socket, message_of(answer));
    }
    const auto told = answer.headers.find("api-version");
    const auto newest = told == answer.headers.end() ? std::nullopt : parse_version(told->second);
    std::optional<ApiVersion> oldest;
    if (newest && *newest > version_newest) {     // it may have left ours behind
        const auto about = TRY(send({.path = "/version", .deadline = deadline}, ""));
        oldest = version_in(nlohmann::json::parse(about.body, nullptr, false), "MinAPIVersion");
    }
    const auto chosen = TRY(choose_version(newest.value_or(version_least), oldest));
    const std::lock_guard lock(mutex_);
    version_ = chosen;
    return chosen;
}

Result<ApiVersion> Client::version(Duration deadline) const {
    {
        const std::lock_guard lock(mutex_);
        if (version_) return *version_;
    }
    return ping(deadline);
}

Result<Answer> Client::call(const Call& wanted) const {
    const auto deadline = wanted.deadline > Duration{0} ? wanted.deadline : setup_.deadline;
    const auto spoken = TRY(version(deadline));
    auto answer = TRY(send(wanted, "/v" + to_text(spoken)));
    if (!refuses_version(answer)) return answer;
    const auto now = TRY(ping(deadline));         // another engine may listen there by now
    return now == spoken ? Result<Answer>{std::move(answer)} : send(wanted, "/v" + to_text(now));
}

Result<Answer> Client::call(std::string_view method, const std::string& path, const std::string& json, Duration deadline) const {
    return call({.method = method, .path = path, .json = json, .deadline = deadline});
}

}  // namespace berth::docker
