// SPDX-License-Identifier: Apache-2.0
// The default-deny table (I23), for every (role, name) pair: what the broker allows is printed and
// compared with access.txt, which a person can read. BERTH_UPDATE_GOLDEN=1 writes the file.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "broker/zap.hpp"
#include "tests/unit/broker/desk.hpp"

namespace berth::broker {
namespace {

constexpr std::array roles{Role::allocator, Role::scaler, Role::reaper, Role::host,
                           Role::gateway,   Role::client, Role::tap};

Sender some(Role role) { return {role == Role::host ? "h-1" : std::string{to_string(role)}, role}; }

// What one role may do with one name: nothing, all, or (a host) only about itself.
std::string allowed(Role role, std::string_view name, bool request) {
    const auto may = [&](const std::string& key) {
        const Topic topic{std::string{name}, key};
        return (request ? may_request(some(role), topic) : may_publish(some(role), topic)) != nullptr;
    };
    if (may("")) return may("h-1") || may("h-2") ? "WRONG" : "yes";
    if (may("h-1") && may("h-2")) return "any";
    if (may("h-1")) return "own";
    return may("h-2") ? "WRONG" : ".";
}

std::string printed_table() {
    std::ostringstream out;
    out << "# Who may send what: yes, '.' (denied), any (names any host), own (a host, about itself).\n"
           "# Made from events/catalog.hpp; anything that is not here is denied. By access_test.cpp.\n";
    const auto line = [&](std::string_view name, const auto& cell) {
        out << fmt::format("{:<30}", name);
        for (const auto role : roles) out << fmt::format(" {:<9}", cell(role));
        auto text = out.str();
        while (text.ends_with(' ')) text.pop_back();
        out.str(text + "\n");
        out.seekp(0, std::ios::end);
    };
    line("", [](Role role) { return std::string{to_string(role)}; });
    for (const bool request : {false, true}) {
        out << (request ? "\nrequests\n" : "\nevents\n");
        for_each_entry([&](const auto& entry) {
            if ((entry.kind == MessageKind::request) != request) return;
            line(entry.name, [&](Role role) { return allowed(role, entry.name, request); });
        });
    }
    return out.str();
}

TEST(access, is_the_printed_table_for_every_role_and_name_I23) {
    const std::string path = BERTH_ACCESS_TABLE;
    if (const auto* update = std::getenv("BERTH_UPDATE_GOLDEN"); update != nullptr && std::string_view{update} == "1") {
        std::ofstream{path} << printed_table();
    }
    std::ifstream file(path);
    const std::string expected{std::istreambuf_iterator<char>{file}, {}};
    EXPECT_EQ(printed_table(), expected) << "if this is meant: BERTH_UPDATE_GOLDEN=1 and read the difference";
}

TEST(access, denies_what_the_catalog_does_not_name) {
    for (const auto role : roles) {
        for (const auto* name : {"nothing.here", "allocator.", "host.heartbeat.", "broker", "claim.granted.v2"}) {
            EXPECT_EQ(may_publish(some(role), {name, ""}), nullptr);
            EXPECT_EQ(may_request(some(role), {name, ""}), nullptr);
        }
    }
}

TEST(access, nobody_may_speak_as_the_broker) {
    for_each_entry([&](const auto& entry) {
        if (entry.name.starts_with("broker.")) return;
        for (const auto* key : {"", "h-1"}) {
            EXPECT_EQ(may_publish({"broker", Role::broker}, {std::string{entry.name}, key}), nullptr) << entry.name;
            EXPECT_EQ(may_request({"broker", Role::broker}, {std::string{entry.name}, key}), nullptr) << entry.name;
        }
    });
}

// The same through step(): every pair is passed on, or refused with a counter, and nothing between.
TEST(access, holds_for_every_message_that_arrives_I23) {
    for (const auto role : roles) {
        for_each_entry([&](const auto& entry) {
            if (entry.name.starts_with("broker.")) return;
            for (const std::string key : {"", "h-1", "h-2"}) {
                Desk desk;
                desk.serve(desk.allocator, "allocator");
                desk.serve(desk.scaler, "scaler");
                desk.serve(desk.h1, "host.h-1");
                desk.serve(desk.h2, "host.h-2");
                const auto from = some(role);
                const bool request = entry.kind == MessageKind::request;
                const auto decisions = request ? desk.request(from, entry.name, key) : desk.publish(from, entry.name, key);
                const Topic topic{std::string{entry.name}, key};
                const bool may = request ? may_request(from, topic) != nullptr : may_publish(from, topic) != nullptr;
                const auto passed = all<ToPeer>(decisions).size() + all<ToSubscribers>(decisions).size();
                EXPECT_EQ(passed > 0, may) << entry.name << " of '" << key << "' from " << from.name;
                EXPECT_EQ(desk.counted(Count::denied), may ? 0U : 1U) << entry.name << " from " << from.name;
            }
        });
    }
}

TEST(access, everyone_serves_only_what_is_theirs) {
    EXPECT_EQ(own_service(some(Role::allocator)), "allocator");
    EXPECT_EQ(own_service(some(Role::scaler)), "scaler");
    EXPECT_EQ(own_service(some(Role::host)), "host.h-1");
    for (const auto role : {Role::broker, Role::reaper, Role::gateway, Role::client, Role::tap}) {
        EXPECT_EQ(own_service(some(role)), "");
    }
}

TEST(access, who_may_connect_where) {
    for (const auto role : roles) {
        const bus::Peer peer{"p", role};
        EXPECT_TRUE(is_admitted(peer, "requests"));
        EXPECT_EQ(is_admitted(peer, "events"), role != Role::host) << "a host has no SUB: it could take in every topic";
        EXPECT_EQ(is_admitted(peer, "allocator"), role == Role::allocator);
        EXPECT_FALSE(is_admitted(peer, ""));
        EXPECT_FALSE(is_admitted(peer, "Requests"));
    }
}

}  // namespace
}  // namespace berth::broker
