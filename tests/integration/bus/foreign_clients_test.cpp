// SPDX-License-Identifier: Apache-2.0
// docs/bus.md is enough to write a client from: one in Python and one in JavaScript claim by request and
// by publishing, tap and release, on the real broker and allocator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/integration/allocator/scripted_host.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class ForeignClients : public ::testing::Test {
protected:
    ForeignClients() {
        cluster.start("broker");
        cluster.start("allocator");
        host.emplace(cluster, "h-1", 4);
        if (const auto orders = host->enrol(); !orders) ADD_FAILURE() << orders.error().text;
        serving = std::thread([this] { host->peer().loop().run(); });
    }
    ~ForeignClients() override {
        host->peer().loop().stop();
        serving.join();
    }

    /// What the client said it saw, one value a line; fails the test when it does not end well.
    std::vector<Json> story(const std::string& program, const std::string& file, const std::string& user) {
        const auto log = cluster.state() + "/log/" + file + ".log";
        Child client({program, std::string{BERTH_CLIENTS} + "/" + file, cluster.state(), "robot", user, "site", user}, log);
        const auto status = client.wait(Duration{60'000});
        const auto text = read_text(log);
        EXPECT_EQ(status, 0) << text << "\n(for ERR_MODULE_NOT_FOUND: npm ci in " << BERTH_CLIENTS << ")";
        std::vector<Json> lines;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);) {
            if (line.starts_with('{')) lines.push_back(Json::parse(line));
        }
        return lines;
    }
    static std::vector<std::string> seen(const std::vector<Json>& lines) {
        std::vector<std::string> names;
        for (const auto& line : lines) names.push_back(line.at("saw"));
        return names;
    }

    Cluster cluster{"[pool.default]\nslots_per_host = 4\n"};
    std::optional<ScriptedHost> host;
    std::thread serving;
};

TEST_F(ForeignClients, one_in_python_claims_publishes_taps_and_releases) {
    const auto lines = story(BERTH_PYTHON, "client.py", "ada");
    ASSERT_THAT(seen(lines), ::testing::ElementsAre("granted by request", "tapped", "granted by publishing", "granted again",
                                                    "released", "stopped", "released", "stopped", "refused", "end"));
    EXPECT_EQ(lines[0]["state"], "granted");
    EXPECT_TRUE(lines[0]["link"].get<bool>());
    EXPECT_EQ(lines[1]["sender"], "allocator") << "the broker's stamp, not the sender's word";
    EXPECT_EQ(lines[1]["workspace"], lines[0]["workspace"]);
    EXPECT_THAT(lines[1]["reason"].get<std::string>(), HasSubstr("ada"));
    EXPECT_NE(lines[2]["workspace"], lines[0]["workspace"]) << "another project";
    EXPECT_TRUE(lines[2]["link"].get<bool>());
    EXPECT_EQ(lines[3]["workspace"], lines[2]["workspace"]) << "the same key, the same outcome (I6)";
    EXPECT_TRUE(lines[3]["same"].get<bool>());
    EXPECT_EQ(lines[4]["count"], 1);
    EXPECT_EQ(lines[8]["kind"], "denied");
    EXPECT_EQ(lines[9]["lost"], 0);
}

TEST_F(ForeignClients, the_first_lines_of_the_document_work_as_they_stand) {
    const auto log = cluster.state() + "/log/minute.log";
    const std::string program = R"py(
import re, sys
text = open(sys.argv[1]).read()
block = re.search(r"## In one minute\n\n((?:    .*\n|\n)+)", text).group(1)
code = "\n".join(line[4:] for line in block.splitlines())
exec(code.replace("/home/me/.local/state/berth", sys.argv[2]).replace("cli", "robot"))
)py";
    Child child({BERTH_PYTHON, "-c", program, std::string{BERTH_CLIENTS} + "/../../../docs/bus.md", cluster.state()}, log);
    EXPECT_EQ(child.wait(Duration{30'000}), 0) << read_text(log);
    EXPECT_THAT(read_text(log), HasSubstr("/_berth/open?token="));
}

TEST_F(ForeignClients, one_in_javascript_claims_publishes_taps_and_releases) {
    const auto lines = story(BERTH_NODE, "client.mjs", "eve");
    ASSERT_THAT(seen(lines), ::testing::ElementsAre("granted by request", "tapped", "granted by publishing", "released",
                                                    "stopped", "released", "stopped", "refused", "refused", "end"));
    EXPECT_TRUE(lines[0]["link"].get<bool>());
    EXPECT_EQ(lines[1]["workspace"], lines[0]["workspace"]);
    EXPECT_EQ(lines[2]["state"], "granted");
    EXPECT_TRUE(lines[2]["link"].get<bool>());
    EXPECT_EQ(lines[7]["kind"], "denied") << "a client may not publish a fact";
    EXPECT_EQ(lines[8]["kind"], "denied") << "nor an intent to stop";
}

}  // namespace
}  // namespace berth::testing
