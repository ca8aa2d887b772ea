// SPDX-License-Identifier: Apache-2.0
// The command line beside the stage of the gateway: runs it and keeps what it said.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/integration/gateway/stage.hpp"

namespace berth::testing {

struct Said {
    int exit = -1;
    std::string text;
    Json json;
};

class CommandLine : public GatewayStage {
protected:
    explicit CommandLine(const std::string& more_config = "") : GatewayStage(more_config) {}

    std::string program() const { return std::string{BERTH_BIN_DIR} + "/berth --state " + cluster.state(); }
    /// By a shell; $BERTH is the program with its state. `meanwhile` runs beside it, when given.
    Said shell(const std::string& script, const std::function<void()>& meanwhile = {}) {
        return run({"/bin/sh", "-c", "BERTH='" + program() + "'; " + script}, meanwhile);
    }
    Said berth(std::vector<std::string> words) {
        std::vector<std::string> arguments{std::string{BERTH_BIN_DIR} + "/berth", "--state", cluster.state()};
        arguments.insert(arguments.end(), words.begin(), words.end());
        return run(std::move(arguments), {});
    }
    void settle(const std::string& id, const char* state) {
        ASSERT_TRUE(host_until([&] { return !host->stopped.empty(); }));
        ASSERT_TRUE(host->beat());
        EXPECT_TRUE(eventually([&] { return get("/v1/workspaces/" + id).json["state"] == state; }));
    }

    /// A stopped workspace of ada's project; its id.
    std::string stopped_workspace(const std::string& project) {
        const auto id = claim("ada", project, "made-" + project).json["workspace"].get<std::string>();
        host->stopped.clear();
        post("/v1/workspaces/" + id + "/stop", Json::object());
        settle(id, "stopped");
        return id;
    }

private:
    Said run(std::vector<std::string> arguments, const std::function<void()>& meanwhile) {
        Said said;
        beside([&] {
            const auto log = cluster.state() + "/cli-" + std::to_string(++runs_) + ".log";
            Child child(std::move(arguments), log);
            if (meanwhile) meanwhile();
            said.exit = child.wait(Duration{40'000}).value_or(-1);
            said.text = read_text(log);
        });
        said.json = Json::parse(said.text, nullptr, false);
        return said;
    }
    int runs_ = 0;
};

}  // namespace berth::testing
