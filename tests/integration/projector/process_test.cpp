// SPDX-License-Identifier: Apache-2.0
// berth-projector beside a real broker and allocator: whenever it is killed, whatever is taken away, the pictures end
// as the ledger says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/exit.hpp"
#include "base/rng.hpp"
#include "http/client.hpp"
#include "projector/picture.hpp"
#include "tests/integration/allocator/traffic.hpp"
#include "tests/integration/dynamodb/amazon.hpp"
#include "tests/support/redis_server.hpp"

namespace berth::testing {
namespace {

using projector::Fields;
using projector::Picture;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kills = 6;

struct WithPlaces {
    RedisServer redis;
    std::string table = "pool-" + random_hex(6);
    std::string settings = fmt::format("[projector]\nredis = \"redis+unix://{}\"\ndynamodb = \"{}\"\nwrite_every = \"50ms\"\nlook_every = \"1s\"\nretry = \"100ms\"\n"
                                       "heartbeat_every = \"200ms\"\n", redis.socket(), table);
};

class BothPlaces : protected WithPlaces, public OnSharedStore {
protected:
    BothPlaces() : OnSharedStore("sqlite:ledger.sqlite", settings) { cluster.mint("projector", Role::tap); }

    int run_projector(const std::vector<std::string>& more) {
        std::vector<std::string> words{fmt::format("{}/berth-projector", BERTH_BIN_DIR), "--config", cluster.config(), "--state", cluster.state()};
        words.insert(words.end(), more.begin(), more.end());
        return Child(words, log_of("command")).wait(Duration{20'000}).value_or(-1);
    }
    /// What hosts say changes all the time.
    static Picture without_loads(Picture picture) {
        for (auto& [key, fields] : picture) {
            for (const auto* of_load : {"cpu", "memory", "disk", "containers", "last_heartbeat", "lastHeartbeat"}) fields.erase(of_load);
        }
        return picture;
    }
    Picture in_redis() {
        Picture picture;
        std::istringstream keys(redis.say({"KEYS", "berth:*"}));
        for (std::string key; keys >> key;) {
            // Values hold blanks, and what the server says is joined by them: each is asked for by itself.
            std::istringstream names(redis.say({"HKEYS", key}));
            auto& fields = picture[key.substr(6)];
            for (std::string name; names >> name;) fields[name] = redis.say({"HGET", key, name});
        }
        return without_loads(picture);
    }
    Picture in_table() {
        Picture picture;
        const auto items = amazon.call("Scan", {{"TableName", table}, {"ConsistentRead", true}}).at("Items");
        for (const auto& item : items) {
            auto& fields = picture[item.at("instanceId").at("S")];
            for (const auto& [name, value] : item.items()) {
                if (name != "instanceId" && name != "managedBy") fields[name] = value.at("S");
            }
        }
        return without_loads(picture);
    }
    /// Both pictures are what the allocator says now.
    bool show_the_view(TestPeer& robot) {
        return robot.until([&] {
            const auto reply = robot.ask(ViewRequest{});
            return reply && in_redis() == without_loads(projector::redis_picture(reply->view, {})) && in_table() == without_loads(projector::pool_picture(reply->view, {}));
        }, Duration{20'000});
    }
    std::string log() { return cluster.log_of("projector"); }

    Amazon amazon;
};

TEST_F(BothPlaces, EndAsTheLedgerSaysHoweverOftenItIsKilledAndWhateverIsTakenAway) {
    ASSERT_EQ(run_projector({"init"}), 0) << read_text(log_of("command"));
    begin();
    run_host();
    cluster.start("projector");
    Traffic traffic(cluster);
    auto& robot = traffic.robot();
    Rng rng(7);
    for (int life = 0; life < kills; ++life) {
        const auto enough = traffic.granted() + 5 + rng.below(40);
        ASSERT_TRUE(robot.until([&] { return traffic.granted() > enough; }, Duration{30'000}));
        cluster.process("projector").kill();
        cluster.start("projector");
    }
    traffic.end();
    ASSERT_TRUE(robot.until([&] { return traffic.idle(); }, Duration{20'000}));
    ASSERT_TRUE(robot.ask(ClaimRequest{.key = {"last"}, .user = {"ada"}, .project = {"p"}}));
    ASSERT_TRUE(show_the_view(robot)) << log();
    View view;
    EXPECT_TRUE(robot.until([&] {                              // the host may still have something to say of it
        view = robot.ask(ViewRequest{})->view;
        view.reindex();
        const auto* adas = view.workspace_of({"ada"}, {"p"});
        return adas != nullptr && redis.say({"HGET", "berth:user:ada", "p"}) == fmt::format("{} h-1 {}", adas->workspace.value, adas->container.value);
    })) << redis.say({"HGET", "berth:user:ada", "p"});
    EXPECT_EQ(redis.say({"HGET", "berth:picture", "ledger"}), view.ledger);

    redis.say({"FLUSHALL"});
    for (const auto& [key, fields] : in_table()) amazon.call("DeleteItem", {{"TableName", table}, {"Key", {{"instanceId", {{"S", key}}}}}});
    EXPECT_TRUE(show_the_view(robot)) << "what was taken away comes back: " << log();

    ASSERT_EQ(run_projector({"forget"}), 0) << read_text(log_of("command"));
    EXPECT_THAT(read_text(log_of("command")), AllOf(HasSubstr("redis: "), HasSubstr("dynamodb: 1 entries were removed")));
    EXPECT_TRUE(show_the_view(robot)) << "rebuilt from nothing: " << log();

    write_text(elsewhere / "machines", R"([{"instanceId":"i-old","status":"idle"}])");
    ASSERT_EQ(run_projector({"import", elsewhere / "machines"}), 0) << read_text(log_of("command"));
    ASSERT_EQ(run_projector({"export"}), 0) << read_text(log_of("command"));
    EXPECT_THAT(read_text(log_of("command")), AllOf(HasSubstr("1 machines were written, 0 are berth's own"), HasSubstr("\"i-old\""), HasSubstr("\"userId\": \"ada\"")));
    EXPECT_EQ(run_projector({"import", elsewhere / "none"}), static_cast<int>(exit_of(ErrorKind::not_found)));
}

TEST_F(BothPlaces, ItSaysHowFarItLagsWhileAPlaceIsGone) {
    ASSERT_EQ(run_projector({"init"}), 0) << read_text(log_of("command"));
    begin();
    ASSERT_TRUE(host->enrol());
    cluster.start("projector");
    TestPeer robot(cluster, "robot", Role::client);
    ASSERT_TRUE(show_the_view(robot)) << log();
    const auto metrics = [&] {
        const auto answer = http::get_local(cluster.state() + "/run/projector.sock", "/metrics", Duration{2'000});
        return answer ? answer->body : answer.error().text;
    };
    const auto figure = [&](const std::string& name) {
        const auto text = metrics();
        const auto at = text.find("\n" + name + " ");
        return at == std::string::npos ? -1.0 : std::stod(text.substr(at + name.size() + 2));
    };
    const auto say_load = [&](double cpu) {
        host->peer().endpoint().publish(HostHeartbeat{.host = {"h-1"}, .incarnation = {"i-h-1"}, .load = {.cpu = cpu}});
        return host->beat();
    };
    ASSERT_TRUE(robot.until([&] { return say_load(0.5) && redis.say({"HGET", "berth:host:h-1", "cpu"}) == "0.500"; })) << "loads are shown, too: " << log();
    redis.kill();
    ASSERT_TRUE(robot.until([&] { return say_load(0.75) && figure("berth_projector_failures_total{place=\"redis\"}") > 0; }, Duration{20'000})) << metrics();
    EXPECT_TRUE(robot.until([&] { return figure("berth_projector_lag_seconds{place=\"redis\"}") > 1; }, Duration{20'000})) << metrics();
    EXPECT_LT(figure("berth_projector_lag_seconds{place=\"dynamodb\"}"), 1) << "the other goes on";
    EXPECT_THAT(log(), HasSubstr("picture.not_written"));
    redis.start();
    EXPECT_TRUE(show_the_view(robot)) << log();
    EXPECT_TRUE(robot.until([&] { return figure("berth_projector_lag_seconds{place=\"redis\"}") < 1; }, Duration{20'000})) << metrics();
}

TEST_F(BothPlaces, WithoutItsTableItSaysHowToMakeItAndGoesOnOnceItIsThere) {
    begin();
    ASSERT_TRUE(host->enrol());
    cluster.start("projector");
    TestPeer robot(cluster, "robot", Role::client);
    ASSERT_TRUE(robot.until([&] { return log().find("berth-projector init") != std::string::npos; })) << log();
    ASSERT_EQ(run_projector({"init"}), 0) << read_text(log_of("command"));
    EXPECT_TRUE(show_the_view(robot)) << log();
    EXPECT_EQ(cluster.process("projector").terminate(Duration{10'000}), 0);
}

TEST_F(BothPlaces, SettingsThatMakeNoSenseAreRefused) {
    for (const auto& [lines, said] : {std::pair{"", "names no place"}, {"redis = \"x\"\n", "redis://HOST"}, {"dynamodb = \"t\"\nlifetime = \"1s\"\n", "lifetime"}}) {
        SCOPED_TRACE(said);
        write_text(cluster.config(), std::string{"[projector]\n"} + lines);
        EXPECT_EQ(run_projector({}), static_cast<int>(exit_of(ErrorKind::invalid)));
        EXPECT_THAT(read_text(log_of("command")), HasSubstr(said));
    }
}

}  // namespace
}  // namespace berth::testing
