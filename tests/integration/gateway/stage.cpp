// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/gateway/stage.hpp"

#include "tests/integration/gateway/schema_check.hpp"

#include <fmt/format.h>

#include <future>

namespace berth::testing {

namespace {

constexpr const char* config = "[pool.default]\nslots_per_host = 4\n[gateway]\n";

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

Answer read_json(WireAnswer plain) {
    Answer answer{std::move(plain), {}};
    answer.json = Json::parse(answer.body, nullptr, false);
    return answer;
}

}  // namespace

GatewayStage::GatewayStage(const std::string& more_config) : cluster(config + std::string{more_config.find("port = ") == std::string::npos ? "port = 0\n" : ""} + more_config) {
    cluster.start("broker");
    cluster.start("allocator");
    cluster.start("gateway");
    host.emplace(cluster, "h-1", 4);
    if (const auto enrolled = host->enrol(); !enrolled) throw std::runtime_error(enrolled.error().text);
    read_url();
    const bool follows = eventually([&] {
        const auto hosts = get("/v1/hosts");
        return hosts.status == 200 && hosts.json["hosts"].size() == 1;
    });
    if (!follows) throw std::runtime_error("the gateway does not follow: " + cluster.log_of("gateway"));
}

void GatewayStage::read_url() {
    const auto url = first_line(read_text(cluster.state() + "/gateway.url"));
    port_ = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    token_ = first_line(read_text(cluster.state() + "/token"));
}

void GatewayStage::restart_gateway() {
    cluster.process("gateway").kill();
    cluster.start("gateway");
    read_url();
    if (!eventually([&] { return get("/v1/status").status == 200; })) throw std::runtime_error("it does not follow: " + cluster.log_of("gateway"));
}

void GatewayStage::beside(const std::function<void()>& work) {
    auto done = std::async(std::launch::async, work);
    host->peer().until([&] { return done.wait_for(Duration{0}) == std::future_status::ready; }, Duration{60'000});
    done.get();
}

Answer GatewayStage::ask(const std::string& method, const std::string& target, const std::string& body, std::vector<std::string> headers) {
    WireAnswer answer;
    beside([&] { answer = exchange(port_, method, target, body, headers); });
    EXPECT_EQ(against_document(method, target, answer), "") << answer.body;
    return read_json(std::move(answer));
}

Answer GatewayStage::ask_as(const std::string& token, const std::string& method, const std::string& target, const Json& body,
                            std::vector<std::string> headers) {
    if (!token.empty()) headers.push_back("Authorization: Bearer " + token);
    headers.push_back("Content-Type: application/json");
    return ask(method, target, body.is_null() ? "" : body.dump(), std::move(headers));
}

Answer GatewayStage::get(const std::string& target) { return ask_as(token_, "GET", target); }

Answer GatewayStage::post(const std::string& target, const Json& body, std::vector<std::string> headers) {
    return ask_as(token_, "POST", target, body, std::move(headers));
}

Answer GatewayStage::claim(const std::string& user, const std::string& project, const std::string& key, Json more) {
    more["user"] = user;
    more["project"] = project;
    return post("/v1/claims", more, {fmt::format("Idempotency-Key: \"{}\"", key)});
}

std::string GatewayStage::token_of(const std::string& user) {
    const auto minted = post("/v1/tokens", {{"role", "user"}, {"user", user}});
    return minted.json.value("token", "");
}

}  // namespace berth::testing
