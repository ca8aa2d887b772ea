// SPDX-License-Identifier: Apache-2.0
// What aws/ does, for tests in Python: a line of JSON in, a line of JSON out.
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "aws/chain.hpp"

namespace berth {
namespace {

using Json = nlohmann::json;

/// The wall's time, moved by the test.
class MovedClock final : public Clock {
public:
    Instant now() const override { return clock_.now() + moved; }
    Duration moved{0};

private:
    RealClock clock_;
};

std::vector<aws::Header> headers_of(const Json& from) {
    std::vector<aws::Header> headers;
    for (const auto& pair : from) headers.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
    return headers;
}

Json sign(const Json& asked) {
    const aws::Signable request{.method = asked["method"], .host = asked["host"], .path = asked["path"], .query = asked["query"],
                                .headers = headers_of(asked["headers"]), .body = asked["body"]};
    const aws::Scope scope{asked["region"], asked["service"], *from_rfc3339(asked["at"].get<std::string>())};
    const aws::Credentials who{.access_key = asked["key"], .secret_key = asked["secret"], .session_token = asked["token"]};
    if (asked.contains("lasts")) return {{"query", aws::presign(request, scope, who, std::chrono::seconds{asked["lasts"].get<long>()})}};
    return {{"authorization", aws::sign(request, scope, who).back().second}};
}

Json shown(const Result<aws::Credentials>& got) {
    if (!got) return {{"error", got.error().text}, {"kind", to_string(got.error().kind)}};
    return {{"key", got->access_key}, {"secret", got->secret_key}, {"token", got->session_token}, {"origin", got->origin},
            {"expires", got->expires_at ? to_rfc3339(*got->expires_at) : ""}};
}

struct Probe {
    MovedClock clock;
    std::map<std::string, std::string> environment;
    std::unique_ptr<aws::Chain> chain;
    std::unique_ptr<aws::Metadata> metadata;
    std::unique_ptr<aws::Client> client;
    std::vector<long> pauses;

    aws::Environment of_test() {
        return [this](const char* name) {
            const auto at = environment.find(name);
            return at == environment.end() ? std::string{} : at->second;
        };
    }
    Json answer(const Json& asked) {
        const auto what = asked["do"].get<std::string>();
        if (what == "sign") return sign(asked);
        if (what == "move") {
            clock.moved += Duration{asked["seconds"].get<long>() * 1000};
            return Json::object();
        }
        if (what == "environment") {             // and all is forgotten
            environment = asked["set"].get<std::map<std::string, std::string>>();
            chain = std::make_unique<aws::Chain>(clock, aws::ChainSetup{.environment = of_test(), .profile = asked.value("profile", "")});
            metadata.reset();
            client.reset();
            return Json::object();
        }
        if (what == "credentials") return shown(chain->credentials());
        if (what == "region") {
            const auto region = chain->find_region();
            return region ? Json{{"region", *region}} : Json{{"error", region.error().text}};
        }
        if (what == "metadata") {
            if (!metadata) metadata = std::make_unique<aws::Metadata>(clock, *aws::metadata_setup(of_test()));
            const auto got = metadata->get(asked["path"]);
            return got ? Json{{"text", *got}} : Json{{"error", got.error().text}, {"kind", to_string(got.error().kind)}};
        }
        return call(asked);
    }
    Json call(const Json& asked) {
        if (!client) {
            client = std::make_unique<aws::Client>(clock, chain.get(),
                                                   aws::Setup{.service = asked.value("service", "ec2") == "ec2" ? aws::ec2 : aws::autoscaling,
                                                              .region = "us-east-1", .endpoint = asked["endpoint"], .deadline = Duration{asked.value("deadline_ms", 5000L)},
                                                              .pause = [this](Duration wait) { pauses.push_back(wait.count()); }});
        }
        pauses.clear();
        aws::Parameters parameters;
        const auto given = asked.value("parameters", Json::object());
        for (const auto& [name, value] : given.items()) parameters.emplace_back(name, value.get<std::string>());
        const auto repeat = asked.value("harmful", false) ? aws::Repeat::harmful : aws::Repeat::harmless;
        Json found = Json::array();
        std::optional<aws::Fault> fault;
        if (asked.value("pages", false)) {
            const auto list = asked["list"].get<std::string>();
            const auto done = client->pages(asked["action"], parameters, [&](aws::Node page) {
                for (const auto item : aws::list_of(page, list.c_str())) found.push_back(item.text().get());
            });
            if (!done) fault = done.error();
        } else {
            const auto done = client->call(asked["action"], parameters, repeat);
            if (done) found.push_back(aws::text_of(done->result(), asked.value("text", "").c_str()));
            if (!done) fault = done.error();
        }
        Json shape{{"found", found}, {"tries", pauses.size() + 1}, {"skew_s", client->skew().count() / 1000}};
        if (fault) shape.update({{"error", fault->text}, {"class", to_string(fault->kind)}, {"code", fault->code}, {"perhaps_done", fault->perhaps_done}});
        return shape;
    }
};

}  // namespace
}  // namespace berth

int main() {
    berth::Probe probe;
    for (std::string line; std::getline(std::cin, line);) {
        std::cout << probe.answer(berth::Json::parse(line)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
    }
}
