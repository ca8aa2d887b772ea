// SPDX-License-Identifier: Apache-2.0
// The configuration that all processes of a machine read: the user's, with flags over it.
#include "cli/up/effective.hpp"

#include <gtest/gtest.h>

#include "base/config.hpp"

namespace berth::cli {
namespace {

std::string value_of(const std::string& toml, std::string_view section, std::string_view key) {
    const auto config = Config::parse(toml, "test");
    if (!config) return "error: " + config.error().text;
    const auto setting = config->find(section, key);
    return setting ? setting->value : "(not set)";
}

TEST(Effective, FlagsWinOverTheFileAndTheRestStays) {
    const auto text = effective_config("[gateway]\nport = 1\npublic_url = \"https://x\"\n[pool.gpu]\nbuffer = 9\n", "/etc/b.toml",
                                       {{"gateway", "port", "2", "--port"}, {"pool.gpu", "hosts_max", "3", "--set"}});
    ASSERT_TRUE(text) << text.error().text;
    EXPECT_EQ(value_of(*text, "gateway", "port"), "2");
    EXPECT_EQ(value_of(*text, "gateway", "public_url"), "https://x");
    EXPECT_EQ(value_of(*text, "pool.gpu", "buffer"), "9");
    EXPECT_EQ(value_of(*text, "pool.gpu", "hosts_max"), "3");
    EXPECT_NE(text->find("/etc/b.toml"), std::string::npos);
}

TEST(Effective, TextAndListsAreTakenAsTheyAre) {
    const auto text = effective_config("", "", {{"reaper", "tick", "1s", "--set"},
                                                {"docker", "image", "ghcr.io/x:1", "--set"},
                                                {"compat", "trusted_networks", "[\"10.0.0.0/8=ci\"]", "--set"},
                                                {"gateway", "metrics_open", "false", "--set"},
                                                {"docker", "cluster", "a\"b = 1", "--set"}});
    ASSERT_TRUE(text) << text.error().text;
    EXPECT_EQ(value_of(*text, "reaper", "tick"), "1s");
    EXPECT_EQ(value_of(*text, "docker", "image"), "ghcr.io/x:1");
    EXPECT_EQ(value_of(*text, "compat", "trusted_networks"), "10.0.0.0/8=ci");
    EXPECT_EQ(value_of(*text, "gateway", "metrics_open"), "false");
    EXPECT_EQ(value_of(*text, "docker", "cluster"), "a\"b = 1");
}

TEST(Effective, AFileThatIsNoTomlSaysWhere) {
    const auto text = effective_config("[gateway]\nport = \n", "/etc/b.toml", {});
    ASSERT_FALSE(text);
    EXPECT_NE(text.error().text.find("/etc/b.toml:2"), std::string::npos);
}

TEST(Effective, AValueIsNoSection) {
    const auto text = effective_config("gateway = 3\n", "/f", {{"gateway", "port", "1", "--port"}});
    ASSERT_FALSE(text);
    EXPECT_NE(text.error().text.find("--port"), std::string::npos);
}

TEST(Effective, AnUnknownSectionIsRefusedWithTheNearest) {
    const auto text = effective_config("[gatway]\nport = 1\n", "/f", {});
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().kind, ErrorKind::invalid);
    EXPECT_NE(text.error().text.find("[gatway]"), std::string::npos);
    EXPECT_NE(text.error().text.find("did you mean [gateway]"), std::string::npos);
}

TEST(Effective, NumbersAndTexts) {
    EXPECT_EQ(number_in("[gateway]\nport = 7\n", "gateway", "port", 1), 7);
    EXPECT_EQ(number_in("", "gateway", "port", 1), 1);
    EXPECT_EQ(text_in("[docker]\nimage = \"x\"\n", "docker", "image", "y"), "x");
    EXPECT_EQ(text_in("", "docker", "image", "y"), "y");
}

std::string refusal(const std::string& toml, const std::vector<Setting>& settings = {}) {
    const auto text = effective_config(toml, "/etc/b.toml", settings);
    return text ? "taken" : text.error().text;
}

TEST(Effective, AWrongKeyIsNamedWithTheUsersOwnFileAndLine) {
    EXPECT_EQ(refusal("[gateway]\nprot = 1\n"), "/etc/b.toml:2: unknown key 'prot' in [gateway]; did you mean 'port'?");
    EXPECT_EQ(refusal("[pool.gpu]\n\nbufer = 1\n"), "/etc/b.toml:3: unknown key 'bufer' in [pool.gpu]; did you mean 'buffer'?");
    EXPECT_EQ(refusal("[pool.gpu]\nbuffer = 1\n[docker]\ncpus = 0.5\n[provider.other]\nwhatever = 1\n"), "taken");
    EXPECT_EQ(refusal("", {{"reaper", "tik", "1s", "--set"}}), "--set: unknown key 'tik' in [reaper]; did you mean 'tick'?");
}

TEST(Effective, AValueOfAnotherKindIsRefusedBeforeAnythingStarts) {
    for (const auto& wrong : {"[gateway]\nport = \"x\"\n", "[gateway]\nmetrics_open = \"maybe\"\n", "[reaper]\ntick = \"soon\"\n",
                              "[pool.default]\nttl_ms = \"8 hours\"\n", "[docker]\ncpus = \"many\"\n"}) {
        EXPECT_NE(refusal(wrong).find("/etc/b.toml:2: "), std::string::npos) << wrong << ": " << refusal(wrong);
    }
    EXPECT_NE(refusal("", {{"reaper", "tick", "\"soon\"", "--set"}}).find("--set: tick: 'soon'"), std::string::npos)
        << refusal("", {{"reaper", "tick", "\"soon\"", "--set"}});
    EXPECT_EQ(refusal("[reaper]\ntick = \"1s\"\n", {{"reaper", "tick", "\"2s\"", "--set"}}), "taken");
}

}  // namespace
}  // namespace berth::cli
