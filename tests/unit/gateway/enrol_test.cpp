// SPDX-License-Identifier: Apache-2.0
// Who may enrol a machine, under which name, until when (issue 13, point 1). Each refusal is one line that
// says what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "bus/keys.hpp"
#include "gateway/enrolment.hpp"
#include "gateway/tokens.hpp"
#include "tests/support/folder.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace berth::gateway::testing {
namespace {

using ::testing::HasSubstr;

const std::string host_token = "berth_" + std::string(64, 'e');
const std::string key_of_box(40, 'k');

Picture with_token(HostGrant grant, Duration ttl = Duration{3'600'000}) {
    auto picture = scene();
    picture.view.pools[PoolName{"lab"}] = PoolDefined{.pool = PoolName{"lab"}, .provider = "static", .slots_per_host = 7};
    std::ignore = picture.tokens.add({.id = "t-9", .role = TokenRole::host, .hash = hash_of_token(host_token), .created_at = turn.now,
                                      .expires_at = turn.now + ttl, .grant = std::move(grant)});
    return picture;
}

std::string body_of(const std::string& name, const std::string& more = "", Duration clock_off = Duration{0}) {
    return fmt::format(R"({{"name":"{}","public_key":"{}","incarnation":"i-9","clock":"{}"{}}})", name, key_of_box, to_rfc3339(turn.now + clock_off), more);
}

Step try_enrol(const Picture& picture, const std::string& body, const std::string& token = host_token) {
    return step(picture, ask("POST", "/v1/enrol", token, body), turn);
}

void expect_refused(const Step& decided, unsigned status, const std::string& text) {
    const auto* answer = std::get_if<HttpAnswer>(&decided);
    ASSERT_NE(answer, nullptr) << text;
    EXPECT_EQ(answer->status, status) << answer->body;
    EXPECT_THAT(answer->body, HasSubstr(text));
}

TEST(Enrol, a_machine_comes_in_by_its_token_into_that_tokens_pool) {
    const auto picture = with_token({PoolName{"lab"}, 1, 0});

    const auto decided = try_enrol(picture, body_of("box-1"));

    const auto* wish = std::get_if<EnrolWish>(&decided);
    ASSERT_NE(wish, nullptr);
    EXPECT_EQ(wish->machine, (Machine{HostId{"box-1"}, HostIncarnation{"i-9"}, "t-9", false}));
    EXPECT_EQ(wish->pool.value, "lab");
    EXPECT_EQ(wish->slots, 7U);
    EXPECT_EQ(wish->asked_at, "127.0.0.1");
}

TEST(Enrol, what_is_wrong_with_the_token_is_said) {
    const auto lab = PoolName{"lab"};
    expect_refused(try_enrol(with_token({lab, 1, 0}), body_of("box-1"), unknown_token), 401, "it was revoked, or mistyped");
    expect_refused(try_enrol(with_token({lab, 1, 0}), body_of("box-1"), operator_token), 403, "this needs a host's token");
    expect_refused(try_enrol(with_token({lab, 1, 1}), body_of("box-1")), 403, "the token is spent: it was for 1 machine,");
    expect_refused(try_enrol(with_token({lab, 1, 0}, Duration{-1'000}), body_of("box-1")), 403, "the token is over since");
    expect_refused(try_enrol(with_token({lab, 1, 0}), body_of("box-1", R"(,"pool":"default")")), 403, "this token is for pool 'lab', not for 'default'");
    expect_refused(try_enrol(with_token({PoolName{"attic"}, 1, 0}), body_of("box-1")), 404, "there is no pool 'attic'");
}

TEST(Enrol, a_clock_that_is_off_is_said_with_how_far) {
    const auto picture = with_token({PoolName{"lab"}, 1, 0});
    expect_refused(try_enrol(picture, body_of("box-1", "", Duration{3'600'000})), 422, "is 1h ahead of that of the gateway");
    expect_refused(try_enrol(picture, body_of("box-1", "", Duration{-3'600'000})), 422, "is 1h behind that of the gateway");
    EXPECT_TRUE(std::holds_alternative<EnrolWish>(try_enrol(picture, body_of("box-1", "", Duration{9'000}))));
}

TEST(Enrol, names_that_are_not_free_are_refused) {
    auto picture = with_token({PoolName{"lab"}, 9, 0});
    HostView host{.host = HostId{"cloud-1"}, .incarnation = HostIncarnation{"i-1"}, .pool = PoolName{"lab"}, .provider = "local"};
    picture.view.hosts[host.host] = host;
    host.host = HostId{"box-9"};
    host.incarnation = HostIncarnation{"i-9"};
    host.provider = std::string{static_provider};
    host.liveness = Liveness::gone;
    picture.view.hosts[host.host] = host;

    for (const char* name : {"gateway", "cli", "broker", "h-7"}) expect_refused(try_enrol(picture, body_of(name)), 409, "is a name of berth's own");
    expect_refused(try_enrol(picture, body_of("cloud-1")), 409, "is a host of provider 'local'");
    expect_refused(try_enrol(picture, body_of("box-9")), 409, "was ended by an operator: remove its folder");
    expect_refused(try_enrol(picture, body_of("box_1")), 422, "a host's id is 1 to 64");
}

TEST(Enrol, a_hosts_token_opens_nothing_else) {
    const auto picture = with_token({PoolName{"lab"}, 9, 0});
    for (const auto& route : routes()) {
        if (route.reach == Reach::hosts || route.reach == Reach::agents || route.reach == Reach::everyone) continue;
        std::string path{route.path};
        if (const auto open = path.find('{'); open != std::string::npos) path.replace(open, path.find('}') - open + 1, "some");
        const auto decided = step(picture, ask(std::string{route.method}, path, host_token, route.method == "POST" ? "{}" : ""), turn);
        EXPECT_EQ(status_of_step(decided), 403U) << route.name;
    }
}

TEST(Enrol, a_tokens_uses_are_machines_and_the_same_machine_uses_one) {
    TokenTable table;
    ASSERT_TRUE(table.add({.id = "t-9", .role = TokenRole::host, .hash = std::string(64, '0'), .grant = HostGrant{PoolName{"lab"}, 2, 0}}));
    const Machine first{HostId{"box-1"}, HostIncarnation{"i-1"}, "t-9", false};

    EXPECT_TRUE(table.enrol(first));
    EXPECT_TRUE(table.enrol(first));
    EXPECT_TRUE(table.enrol({HostId{"box-2"}, HostIncarnation{"i-2"}, "t-9", false}));
    EXPECT_EQ(table.enrol({HostId{"box-3"}, HostIncarnation{"i-3"}, "t-9", false}).error().kind, ErrorKind::limit);

    EXPECT_EQ(table.entries().front().grant->used, 2U);
    table.remove_machine(HostId{"box-1"});
    EXPECT_EQ(table.enrol({HostId{"box-3"}, HostIncarnation{"i-3"}, "t-9", false}).error().kind, ErrorKind::limit) << "one that is gone has used it";
    const auto again = TokenTable::parse(table.to_json());
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->machines(), table.machines());
    EXPECT_EQ(again->entries(), table.entries());
}

TEST(Enrol, a_hosts_token_is_remembered_a_day_after_its_end_so_that_who_uses_it_is_told) {
    TokenTable table;
    ASSERT_TRUE(table.add({.id = "t-9", .role = TokenRole::host, .hash = std::string(64, '0'), .created_at = turn.now, .expires_at = turn.now,
                           .grant = HostGrant{PoolName{"lab"}, 2, 0}}));
    table.forget_over(turn.now + host_token_memory - Duration{1});
    EXPECT_NE(table.of_id("t-9"), nullptr);
    table.forget_over(turn.now + host_token_memory);
    EXPECT_EQ(table.of_id("t-9"), nullptr);
}

// ---- machines whose agents speak HTTP alone (req 22)

Step foreign(const Picture& picture, const char* path, const std::string& token, const std::string& instance = "i-0abc") {
    return step(picture, ask("POST", path, token, fmt::format(R"({{"instanceId":"{}","publicIp":"198.18.0.30","more":1}})", instance)), turn);
}

TEST(Foreign, a_machine_is_registered_by_a_hosts_token_and_by_nobodys_word) {
    const auto picture = with_token({PoolName{"lab"}, 1, 0});
    expect_refused(foreign(picture, "/register", ""), 401, "a token is needed");
    expect_refused(foreign(picture, "/register", ada_token), 403, "this needs a host's token");
    expect_refused(foreign(picture, "/register", operator_token), 404, "register it with a host's token");
    expect_refused(foreign(picture, "/heartbeat", host_token), 404, "POST /register first");
    expect_refused(foreign(with_token({PoolName{"lab"}, 1, 1}), "/register", host_token), 403, "the token is spent");

    const auto decided = foreign(picture, "/register", host_token, "i-0a.bc");

    const auto* wish = std::get_if<ForeignWish>(&decided);
    ASSERT_NE(wish, nullptr);
    EXPECT_EQ(wish->act, ForeignAct::registers);
    EXPECT_EQ(wish->machine, (Machine{HostId{"i-0a-bc"}, HostIncarnation{"http-r-1"}, "t-9", true}));
    EXPECT_EQ(wish->said.instance, "i-0a.bc");
    EXPECT_EQ(wish->said.public_ip, "198.18.0.30");
    EXPECT_EQ(wish->pool.value, "lab");
}

TEST(Foreign, it_is_the_same_machine_as_long_as_it_lives_and_only_its_tokens) {
    auto picture = with_token({PoolName{"lab"}, 1, 0}, Duration{-1'000});
    const Machine machine{HostId{"i-0abc"}, HostIncarnation{"http-1"}, "t-9", true};
    ASSERT_TRUE(picture.tokens.enrol(machine));
    HostView host{.host = machine.host, .incarnation = machine.incarnation, .pool = PoolName{"lab"}, .instance = "i-0abc", .public_ip = "198.18.0.30",
                  .provider = std::string{static_provider}};
    host.slots = {{SlotUse::leased, Epoch{5}, WorkspaceId{"w-9"}}};
    picture.view.hosts[host.host] = host;

    const auto beat = foreign(picture, "/heartbeat", host_token);
    const auto again = foreign(picture, "/register", host_token);

    ASSERT_TRUE(std::holds_alternative<ForeignWish>(beat) && std::holds_alternative<ForeignWish>(again)) << "spent and over, but it is the same machine";
    EXPECT_EQ(std::get<ForeignWish>(again).machine, machine);
    EXPECT_EQ(std::get<ForeignWish>(beat).said.public_ip, "198.18.0.30");
    EXPECT_EQ(std::get<ForeignWish>(beat).slot.epoch, Epoch{4}) << "the lease is taken over from its orders";
    expect_refused(foreign(picture, "/register", host_token, "i-0abd"), 403, "the token is over since");
}

TEST(Foreign, its_registration_is_answered_when_a_heartbeat_would_find_it) {
    auto picture = with_token({PoolName{"lab"}, 1, 0});
    picture.following = true;
    const Machine machine{HostId{"i-0abc"}, HostIncarnation{"http-2"}, "t-9", true};
    ASSERT_TRUE(picture.tokens.enrol(machine));
    const ForeignWish wish{.act = ForeignAct::registers, .machine = machine, .said = {"i-0abc", "198.18.0.30", ""}};
    HostView host{.host = machine.host, .incarnation = HostIncarnation{"http-1"}, .instance = "i-0abc", .liveness = Liveness::gone};

    EXPECT_FALSE(shows(picture, wish, {}));
    picture.view.hosts[host.host] = host;
    EXPECT_FALSE(shows(picture, wish, {})) << "that is its last life";
    host.incarnation = machine.incarnation;
    host.liveness = Liveness::live;
    picture.view.hosts[host.host] = host;
    EXPECT_TRUE(shows(picture, wish, {}));
    EXPECT_TRUE(std::holds_alternative<ForeignWish>(foreign(picture, "/heartbeat", host_token)));
    EXPECT_TRUE(shows(with_token({PoolName{"lab"}, 1, 0}), wish, fail(ErrorKind::timeout, "nobody answers"))) << "what failed is said at once";
}

TEST(Foreign, after_a_release_it_is_unclean_for_the_next_gateway_too) {
    auto picture = with_token({PoolName{"lab"}, 1, 0});
    const Machine machine{HostId{"i-0abc"}, HostIncarnation{"http-1"}, "t-9", true};
    ASSERT_TRUE(picture.tokens.enrol(machine));
    HostView host{.host = machine.host, .incarnation = machine.incarnation, .pool = PoolName{"lab"}, .instance = "i-0abc",
                  .provider = std::string{static_provider}};
    host.slots = {{SlotUse::quarantined, Epoch{5}}};
    picture.view.hosts[host.host] = host;

    const auto beat = foreign(picture, "/heartbeat", host_token);

    ASSERT_TRUE(std::holds_alternative<ForeignWish>(beat));
    EXPECT_EQ(std::get<ForeignWish>(beat).slot.phase, SlotPhase::broken);
    EXPECT_EQ(std::get<ForeignWish>(beat).slot.epoch, Epoch{5});
}

TEST(Foreign, a_host_that_did_not_come_with_this_token_is_not_spoken_for) {
    const auto picture = with_token({PoolName{"lab"}, 9, 0});
    expect_refused(foreign(picture, "/register", host_token, "h-1"), 409, "did not come with this token");
    expect_refused(foreign(picture, "/heartbeat", host_token, "h-1"), 409, "did not come with this token");
}

// ---- the files

class EnrolmentFiles : public ::testing::Test {
protected:
    EnrolmentFiles() {
        EXPECT_TRUE(bus::mint_key(folder.path() + "/keys", "broker", Role::broker));
        token_id = mint_token(folder.path(), {.role = TokenRole::host, .grant = HostGrant{PoolName{"lab"}, 2, 0}}, turn.now)->entry.id;
        bus_file("requests_hosts = \"tcp://0.0.0.0:9094\"\n");
    }
    void bus_file(const std::string& text) const { std::ofstream(folder.path() + "/bus.toml") << "[bus]\n" << text; }
    Result<EnrolAnswer> enrol(const std::string& name, const std::string& key) const {
        return enrol_machine(folder.path(), {}, {.machine = {HostId{name}, HostIncarnation{"i-9"}, token_id}, .public_key = key, .asked_at = "berth.lab"});
    }
    std::string fresh_key() {
        static int number = 0;
        berth::testing::Folder elsewhere;
        return bus::mint_key(elsewhere.path(), fmt::format("k-{}", ++number), Role::host)->public_key;
    }
    berth::testing::Folder folder;
    std::string token_id;
};

TEST_F(EnrolmentFiles, the_key_is_admitted_for_that_host_alone_and_again_changes_nothing) {
    const auto key = fresh_key();

    const auto first = enrol("box-1", key);
    const auto again = enrol("box-1", key);

    ASSERT_TRUE(first) << first.error().text;
    EXPECT_TRUE(first->fresh);
    EXPECT_EQ(first->requests, "tcp://berth.lab:9094");
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->fresh);
    const auto peers = bus::load_peers(folder.path() + "/keys");
    ASSERT_TRUE(peers && peers->contains(key));
    EXPECT_EQ(peers->at(key).name, "box-1");
    EXPECT_EQ(peers->at(key).role, Role::host);
    EXPECT_EQ(load_tokens(folder.path())->of_id(token_id)->grant->used, 1U);
}

TEST_F(EnrolmentFiles, a_name_belongs_to_its_key_and_a_key_to_its_name) {
    const auto key = fresh_key();
    ASSERT_TRUE(enrol("box-1", key));

    const auto other_key = enrol("box-1", fresh_key());
    const auto other_name = enrol("box-2", key);

    ASSERT_FALSE(other_key);
    EXPECT_THAT(other_key.error().text, HasSubstr("box-1 is enrolled with another key"));
    ASSERT_FALSE(other_name);
    EXPECT_THAT(other_name.error().text, HasSubstr("enrolled already, as box-1"));
    EXPECT_EQ(load_tokens(folder.path())->of_id(token_id)->grant->used, 1U) << "what is refused uses nothing";
    EXPECT_EQ(enrol("box-3", "short").error().kind, ErrorKind::invalid);
}

TEST_F(EnrolmentFiles, who_is_cut_off_may_come_again_with_another_key) {
    ASSERT_TRUE(enrol("box-1", fresh_key()));
    ASSERT_TRUE(cut_off_machine(folder.path(), HostId{"box-1"}));
    EXPECT_EQ(bus::load_peers(folder.path() + "/keys")->size(), 0U);
    EXPECT_EQ(load_tokens(folder.path())->machine(HostId{"box-1"}), nullptr);

    EXPECT_TRUE(enrol("box-1", fresh_key()));
}

TEST_F(EnrolmentFiles, a_broker_that_hears_its_own_machine_alone_is_said) {
    bus_file("requests_hosts = \"\"\n");
    const auto refused = enrol("box-1", fresh_key());
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text, HasSubstr("[broker] requests_hosts"));
    bus_file("requests_hosts = \"tcp://10.0.0.1:9094\"\n");
    EXPECT_EQ(enrol("box-1", fresh_key())->requests, "tcp://10.0.0.1:9094");
}

TEST_F(EnrolmentFiles, what_holds_for_the_control_planes_machine_alone_is_not_sent) {
    const auto path = folder.path() + "/berth.toml";
    std::ofstream(path) << "[hostagent]\nengine = \"docker\"\nprocess_command = \"/opt/x\"\nworkers = 4\n[docker]\nsocket = \"/x\"\npids = 512\n"
                           "[proxy]\ntls_key = \"/etc/key\"\ntrusted_networks = [\"10.0.0.0/8\"]\n[gateway]\nport = 1\n";

    const auto settings = read_host_settings(path);

    ASSERT_TRUE(settings) << settings.error().text;
    EXPECT_EQ(*settings, (HostSettings{{"hostagent", {{"engine", "'docker'"}, {"workers", "4"}}}, {"docker", {{"pids", "512"}}},
                                       {"proxy", {{"trusted_networks", "[ '10.0.0.0/8' ]"}}}}));
}

}  // namespace
}  // namespace berth::gateway::testing
