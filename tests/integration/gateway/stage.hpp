// SPDX-License-Identifier: Apache-2.0
// The real broker, allocator and gateway, a scripted host, and a client on a thread of its own.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/allocator/scripted_host.hpp"
#include "tests/integration/gateway/raw_http.hpp"

namespace berth::testing {

using Json = nlohmann::ordered_json;

struct Answer : WireAnswer {
    Json json;                            // discarded when the body is no JSON
};

class GatewayStage : public ::testing::Test {
protected:
    explicit GatewayStage(const std::string& more_config = "");

    std::uint16_t port() const { return port_; }
    const std::string& token() const { return token_; }
    std::string bearer() const { return "Authorization: Bearer " + token_; }

    /// Runs `work` beside the host's loop.
    void beside(const std::function<void()>& work);
    /// With the operator's token, as JSON.
    Answer get(const std::string& target);
    Answer post(const std::string& target, const Json& body, std::vector<std::string> headers = {});
    Answer claim(const std::string& user, const std::string& project, const std::string& key, Json more = Json::object());
    Answer ask(const std::string& method, const std::string& target, const std::string& body, std::vector<std::string> headers);
    /// As ask(), with another token; an empty one sends none.
    Answer ask_as(const std::string& token, const std::string& method, const std::string& target, const Json& body = nullptr,
                  std::vector<std::string> headers = {});
    std::string token_of(const std::string& user);
    bool host_until(const std::function<bool()>& is_so, Duration within = Duration{15'000}) { return host->peer().until(is_so, within); }
    void restart_gateway();                                // and waits until it follows the ledger again

    Cluster cluster;
    std::optional<ScriptedHost> host;

private:
    void read_url();
    std::uint16_t port_ = 0;
    std::string token_;
};

}  // namespace berth::testing
