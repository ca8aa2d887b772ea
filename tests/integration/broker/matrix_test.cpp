// SPDX-License-Identifier: Apache-2.0
// The default-deny table on the wire (I23): every role sends every message of the catalog, plain and for
// two hosts, to a real broker. What arrives, and where, is compared with the printed table
// (tests/unit/broker/access.txt), which is compared with the code elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "tests/integration/broker/raw_peer.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;

constexpr std::array roles{Role::allocator, Role::scaler, Role::reaper, Role::host,
                           Role::gateway,   Role::client, Role::tap};

// name -> role -> cell of access.txt
using Table = std::map<std::string, std::map<Role, std::string>>;

struct Tables {
    Table events;
    Table requests;
};

Tables read_tables() {
    Tables tables;
    Table* into = nullptr;
    std::ifstream file(BERTH_ACCESS_TABLE);
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string name;
        words >> name;
        if (name == "events") into = &tables.events;
        if (name == "requests") into = &tables.requests;
        if (into == nullptr || name.find('.') == std::string::npos) continue;
        for (const auto role : roles) words >> (*into)[name][role];
    }
    return tables;
}

bool allowed(const std::string& cell, const std::string& key, const std::string& own) {
    if (cell == "yes") return key.empty();
    if (cell == "any") return !key.empty();
    return cell == "own" && key == own;
}

struct Said {
    std::string what;
    bool request = false;
    bool allowed = false;
};

class Matrix : public ::testing::Test {
protected:
    Matrix() {
        cluster.mint("h-1", Role::host);
        cluster.mint("h-2", Role::host);
        cluster.start("broker");
        for (const auto role : roles) {
            const auto name = role == Role::host ? "h-1" : role == Role::client ? "robot" : std::string{to_string(role)};
            senders.emplace(role, std::make_unique<RawPeer>(cluster, name, role));
        }
        other_host = std::make_unique<RawPeer>(cluster, "h-2", Role::host);
        listener = std::make_unique<RawPeer>(cluster, "tap", Role::tap, zmq::socket_type::sub);
        for (const auto* topic : {"", "broker.beat."}) listener->socket().set(zmq::sockopt::subscribe, topic);
        EXPECT_TRUE(listener->receive()) << "the broker beats at once for a new listener";
    }
    // What arrived at this peer: ids of requests and events, and of our own messages that were refused.
    void take(RawPeer& peer) {
        while (const auto heard = peer.hear(Duration{0})) {
            if (heard->topic != reply_topic) {
                arrived.insert(heard->envelope.id);
                senders_of[heard->envelope.id] = heard->stamp;
            } else if (heard->envelope.error) {
                refused[heard->stamp.tag] = heard->envelope.error->kind;
            } else {
                answered.insert(heard->stamp.tag);
            }
        }
    }
    void take_all() {
        for (const auto& [role, peer] : senders) take(*peer);
        take(*other_host);
        take(*listener);
    }
    // Everyone's connection is emptied: an answer to a last message of ours comes after all others.
    void settle() {
        std::vector<std::string> last;
        for (const auto& [role, peer] : senders) last.push_back(peer->say("no.such"));
        last.push_back(other_host->say("no.such"));
        ASSERT_TRUE(eventually([&] {
            take_all();
            return std::all_of(last.begin(), last.end(), [&](const auto& id) { return refused.contains(id); });
        }));
        // And the listener: an event after all others.
        const auto mark = senders.at(Role::allocator)->say("ledger.head");
        ASSERT_TRUE(eventually([&] {
            take_all();
            return arrived.contains(mark);
        }));
    }

    Cluster cluster{"[broker]\nworker_silence_max = \"60s\"\nbeat_period = \"30s\"\n"};
    std::map<Role, std::unique_ptr<RawPeer>> senders;
    std::unique_ptr<RawPeer> other_host;
    std::unique_ptr<RawPeer> listener;
    std::set<std::string> arrived;
    std::set<std::string> answered;
    std::map<std::string, ErrorKind> refused;
    std::map<std::string, Stamp> senders_of;
};

TEST_F(Matrix, every_role_and_every_message_I23) {
    const auto tables = read_tables();
    ASSERT_TRUE(senders.at(Role::allocator)->serve("allocator"));
    ASSERT_TRUE(senders.at(Role::scaler)->serve("scaler"));
    ASSERT_TRUE(senders.at(Role::host)->serve("host.h-1"));
    ASSERT_TRUE(other_host->serve("host.h-2"));

    std::map<std::string, Said> said;
    std::size_t may = 0;
    for (const auto role : roles) {
        auto& from = *senders.at(role);
        for_each_entry([&](const auto& entry) {
            const std::string name{entry.name};
            if (name == "broker.leave" || name == "broker.serve") return;     // would change who serves; below
            const bool request = entry.kind == MessageKind::request;
            const auto& table = request ? tables.requests : tables.events;
            ASSERT_TRUE(table.contains(name)) << name << " is not in access.txt";
            for (const std::string key : {"", "h-1", "h-2"}) {
                const bool ok = allowed(table.at(name).at(role), key, from.name());
                may += ok ? 1 : 0;
                said[from.say(entry.name, key)] = {fmt::format("{} [{}] by {}", name, key, to_string(role)), request, ok};
            }
        });
        take_all();
    }
    settle();
    EXPECT_GT(may, 60U);
    EXPECT_GT(said.size(), roles.size() * 3 * 50);
    for (const auto& [id, one] : said) {
        const bool beat = one.what.starts_with("broker.beat");
        const bool own = one.what.starts_with("broker.status");
        if (!one.allowed) {
            EXPECT_FALSE(arrived.contains(id) || answered.contains(id)) << one.what << " got through";
            ASSERT_TRUE(refused.contains(id)) << one.what << " was not refused in words";
            EXPECT_EQ(refused.at(id), ErrorKind::denied) << one.what;
        } else if (beat) {
            EXPECT_FALSE(arrived.contains(id)) << "a beat is for the broker alone";
        } else if (own) {
            EXPECT_TRUE(answered.contains(id)) << one.what;
        } else {
            EXPECT_TRUE(arrived.contains(id)) << one.what << " did not arrive";
        }
    }
}

TEST_F(Matrix, the_stamp_says_whose_key_it_was_whatever_the_message_claims_I23) {
    ASSERT_TRUE(senders.at(Role::allocator)->serve("allocator"));
    auto& robot = *senders.at(Role::client);
    auto lie = robot.envelope(request_name<ClaimRequest>, encode(ClaimRequest{.key = {"k"}, .user = {"u"}, .project = {"p"},
                                                                             .principal = Principal{"gateway"}}));
    lie.source = "/berth/gateway/x";
    ASSERT_TRUE(robot.send({"allocator.claim.", encode_envelope(lie)}));
    const auto request = senders.at(Role::allocator)->hear();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->stamp.sender, "robot");
    EXPECT_EQ(request->stamp.role, Role::client);
    EXPECT_EQ(request->envelope.source, "/berth/gateway/x") << "berth's endpoints refuse it: the source is not the sender";
}

TEST_F(Matrix, a_real_allocator_refuses_a_message_whose_source_is_not_its_sender) {
    cluster.start("allocator");
    auto& robot = *senders.at(Role::client);
    ASSERT_TRUE(eventually([&] {
        auto lie = robot.envelope(request_name<ViewRequest>);
        lie.source = "/berth/gateway/x";
        lie.deadline = real_now() + Duration{200};
        robot.send({"allocator.view.", encode_envelope(lie)});
        const auto reply = robot.hear();
        EXPECT_TRUE(reply && reply->envelope.error);
        return cluster.log_of("allocator").find("the source is not the sender") != std::string::npos;
    }));
}

TEST_F(Matrix, nobody_serves_what_is_not_theirs) {
    for (const auto role : roles) {
        for (const auto* service : {"allocator", "scaler", "host.h-1", "host.h-2", "broker", "gateway", "host.*", ""}) {
            auto& peer = *senders.at(role);
            const auto id = peer.say(request_name<ServeRequest>, "", encode(ServeRequest{service}));
            ASSERT_TRUE(eventually([&] {
                take(peer);
                return answered.contains(id) || refused.contains(id);
            }));
            const bool mine = (role == Role::allocator && service == std::string{"allocator"}) ||
                              (role == Role::scaler && service == std::string{"scaler"}) ||
                              (role == Role::host && service == std::string{"host.h-1"});
            EXPECT_EQ(answered.contains(id), mine) << to_string(role) << " as " << service;
        }
    }
}

TEST_F(Matrix, an_intent_for_a_host_reaches_that_host_and_no_other) {
    auto& reaper = *senders.at(Role::reaper);
    ASSERT_TRUE(senders.at(Role::host)->serve("host.h-1"));
    ASSERT_TRUE(other_host->serve("host.h-2"));
    const auto id = reaper.say(event_name<WorkspaceIdle>, "h-2");
    const auto heard = other_host->hear();
    ASSERT_TRUE(heard);
    EXPECT_EQ(heard->envelope.id, id);
    EXPECT_EQ(heard->topic, "workspace.idle.h-2.");
    settle();
    EXPECT_EQ(senders_of.at(id).sender, "reaper") << "the listener heard it too";
    EXPECT_FALSE(senders.at(Role::host)->hear(Duration{0}));
}

}  // namespace
}  // namespace berth::testing
