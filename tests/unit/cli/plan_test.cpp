// SPDX-License-Identifier: Apache-2.0
// What `berth up` decides from flags and from what it finds on the machine.
#include "cli/up/plan.hpp"

#include <gtest/gtest.h>

#include "cli/up/agreements.hpp"
#include "hostagent/engines/docker.hpp"

namespace berth::cli {
namespace {

EngineFacts machine(std::vector<EngineAnswer> answers, std::string dockerd, bool is_root) {
    return {std::move(answers), std::move(dockerd), is_root, "/s/docker/docker.sock"};
}

TEST(Settings, FlagsBecomeSettingsAndTheLastOneWins) {
    UpFlags flags;
    flags.port = 0;
    flags.buffer = 3;
    flags.image = "x:1";
    flags.sets = {"reaper.tick=1s", "pool.gpu.buffer=0"};
    const auto settings = settings_of(flags);
    ASSERT_TRUE(settings);
    EXPECT_EQ(*settings, (std::vector<Setting>{{"gateway", "port", "0", "--port"},
                                               {"pool.default", "buffer", "3", "--buffer"},
                                               {"docker", "image", "x:1", "--image"},
                                               {"reaper", "tick", "1s", "--set"},
                                               {"pool.gpu", "buffer", "0", "--set"}}));
}

TEST(Settings, ASetThatIsNoneSaysWhatItWants) {
    for (const auto* text : {"", "x", "a=b", ".a=b", "a.=b", "=b", "nodot=a.b"}) {
        const auto set = parse_set(text);
        ASSERT_FALSE(set) << text;
        EXPECT_EQ(set.error().kind, ErrorKind::invalid);
        EXPECT_NE(set.error().text.find("section.key=value"), std::string::npos);
    }
    EXPECT_EQ(parse_set("a.b=c=d.e")->value, "c=d.e");
}

TEST(Settings, TheEnvironmentNameIsThatOfTheConfiguration) {
    EXPECT_EQ(environment_name({"pool.default", "idle_after_ms", "", ""}), "BERTH_POOL_DEFAULT_IDLE_AFTER_MS");
}

TEST(Engine, TheFirstThatAnswersIsTaken) {
    const auto choice = choose_engine(EngineWanted::automatic, machine({{"/a.sock", "", "nobody listens"}, {"/b.sock", "1.41", ""}}, "", true));
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->kind, EngineKind::use_docker);
    EXPECT_EQ(choice->socket, "/b.sock");
}

TEST(Engine, OneThatAnswersAUserIsRefusedWithBothWaysOut_FieldReport27) {
    for (const auto wanted : {EngineWanted::automatic, EngineWanted::docker}) {
        const auto choice = choose_engine(wanted, machine({{"/a.sock", "1.41", ""}}, "/usr/sbin/dockerd", false));
        ASSERT_FALSE(choice);
        EXPECT_NE(choice.error().text.find("sudo berth up"), std::string::npos) << choice.error().text;
        EXPECT_NE(choice.error().text.find("--engine process"), std::string::npos) << choice.error().text;
    }
}

TEST(Engine, WithNoneRunningRootStartsAPrivateOne) {
    const auto choice = choose_engine(EngineWanted::automatic, machine({{"/a.sock", "", "nobody listens"}}, "/usr/sbin/dockerd", true));
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->kind, EngineKind::start_docker);
    EXPECT_EQ(choice->socket, "/s/docker/docker.sock");
    EXPECT_NE(choice->said.find("/a.sock: nobody listens"), std::string::npos);
}

TEST(Engine, WithoutOneProcessesAreUsedAndSaidToBeOpen) {
    for (const auto& facts : {machine({}, "", true), machine({}, "/usr/sbin/dockerd", false)}) {
        const auto choice = choose_engine(EngineWanted::automatic, facts);
        ASSERT_TRUE(choice);
        EXPECT_EQ(choice->kind, EngineKind::use_process);
        EXPECT_NE(choice->said.find("NOT isolated"), std::string::npos);
    }
}

TEST(Engine, DockerThatWasAskedForIsNeverReplaced) {
    const auto choice = choose_engine(EngineWanted::docker, machine({}, "", true));
    ASSERT_FALSE(choice);
    EXPECT_NE(choice.error().text.find("--engine process"), std::string::npos);
}

TEST(Engine, ProcessesThatWereAskedForNeedNothing) {
    const auto choice = choose_engine(EngineWanted::process, machine({{"/a.sock", "1.41", ""}}, "/d", true));
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->kind, EngineKind::use_process);
}

TEST(Engine, OurOwnSocketComesBeforeTheMachines) {
    EXPECT_EQ(sockets_to_ask("", "/run/user/1", "/s/docker/docker.sock"),
              (std::vector<std::string>{"/s/docker/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock",
                                        "/run/user/1/podman/podman.sock"}));
    EXPECT_EQ(sockets_to_ask("tcp://1.2.3.4:2375", "", "/var/run/docker.sock").size(), 2u);
}

TEST(Engine, ASecondDockerdIsNotStartedBesideOne) {
    auto facts = machine({{"/var/run/docker.sock", "", "there is no socket"}}, "/usr/sbin/dockerd", true);
    facts.other_dockerd = 4711;
    const auto choice = choose_engine(EngineWanted::automatic, facts);
    ASSERT_FALSE(choice);
    EXPECT_NE(choice.error().text.find("pid 4711"), std::string::npos) << choice.error().text;
    EXPECT_NE(choice.error().text.find("DOCKER_HOST"), std::string::npos) << choice.error().text;
    EXPECT_TRUE(choose_engine(EngineWanted::process, facts));
}

TEST(Engine, TheOneThatDockerHostNamesIsTheOnlyOne) {
    EXPECT_EQ(sockets_to_ask("unix:///x.sock", "/run/user/1", "/s/docker/docker.sock"), (std::vector<std::string>{"/x.sock"}));
    EngineFacts facts{{{"/x.sock", "", "no answer within 3s"}}, "/usr/sbin/dockerd", true, "/s/docker/docker.sock", true};
    const auto refused = choose_engine(EngineWanted::docker, facts);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text.find("/x.sock: no answer within 3s"), std::string::npos) << refused.error().text;
    EXPECT_NE(refused.error().text.find("unset DOCKER_HOST"), std::string::npos) << refused.error().text;
    EXPECT_EQ(choose_engine(EngineWanted::automatic, facts)->kind, EngineKind::start_docker);
}

TEST(Agreements, AreTheHostsOwn) {
    EXPECT_EQ(default_image, DockerPolicy{}.image);
    EXPECT_EQ(default_docker_socket, DockerPolicy{}.socket);
    EXPECT_NE(cluster_of("/a"), cluster_of("/b"));
    EXPECT_EQ(cluster_of("/a").size(), std::string{"berth-12345678"}.size());
}

TEST(Services, StartInAnOrderInWhichEachFindsWhatItNeeds) {
    UpFlags flags;
    flags.state = "/s";
    flags.log_level = "debug";
    const auto services = services_of(flags, "/bin");
    std::vector<std::string> names;
    for (const auto& service : services) names.push_back(service.name);
    EXPECT_EQ(names, (std::vector<std::string>{"broker", "allocator", "gateway", "reaper", "scaler"}));
    EXPECT_EQ(services[1].arguments, (std::vector<std::string>{"/bin/berth-allocator", "--config", "/s/berth.toml", "--state", "/s",
                                                               "--log-level", "debug"}));
    EXPECT_EQ(services[1].ready, "/s/run/allocator.ready");
}

TEST(Services, NoHostKeyIsMintedByUp) {
    for (const auto& key : keys_of_one_machine()) EXPECT_NE(key.role, Role::host);
}

TEST(StateFolder, FlagThenEnvironmentThenHome) {
    const std::map<std::string, std::string> all{{"BERTH_STATE", "/e"}, {"XDG_STATE_HOME", "/x"}, {"HOME", "/h"}};
    EXPECT_EQ(*state_folder("/f/", all, "/w"), "/f");
    EXPECT_EQ(*state_folder("", all, "/w"), "/e");
    EXPECT_EQ(*state_folder("", {{"XDG_STATE_HOME", "/x"}, {"HOME", "/h"}}, "/w"), "/x/berth");
    EXPECT_EQ(*state_folder("", {{"HOME", "/h"}}, "/w"), "/h/.local/state/berth");
    EXPECT_EQ(*state_folder("../s", {}, "/w/x"), "/w/s");
    EXPECT_FALSE(state_folder("", {}, "/w"));
}

}  // namespace
}  // namespace berth::cli
