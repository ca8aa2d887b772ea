// SPDX-License-Identifier: Apache-2.0
// The causal chain as `berth why` draws it.
#include "cli/chain.hpp"

#include <gtest/gtest.h>

#include "cli/terminal.hpp"
#include "events/catalog.hpp"

namespace berth::cli {
namespace {

Json fact(int position, const std::string& type, const std::string& at, Json data, const std::string& cause) {
    return {{"position", std::to_string(position)},
            {"type", type},
            {"at", at},
            {"data", std::move(data)},
            {"reason", {{"why", "because " + type}, {"actor", "allocator"}, {"policy", "1"}, {"evidence", Json::array({"seen so"})}}},
            {"cause", cause}};
}

TEST(Chain, DrawsWhenWhatWhyAndFromWhat) {
    use_utf8();
    const std::vector<Json> facts{
        fact(3, "claim.accepted", "2026-11-21T10:00:00.000Z", {{"project", "web"}, {"user", "ada"}, {"claim", "c-1"}}, "m-1"),
        fact(4, "lease.granted", "2026-11-21T10:00:00.250Z",
             {{"workspace", "w-1"}, {"host", {{"host", "h-1"}, {"incarnation", "i"}}}, {"slot", 0}, {"epoch", "2"}}, "#3")};
    EXPECT_EQ(draw_chain("w-1", facts, {}),
              "2026-11-21  w-1\n"
              "10:00:00.000  #3  claim.accepted  web for ada as c-1\n"
              "     │            because  because claim.accepted\n"
              "     │            evidence seen so\n"
              "     │            by       allocator, policy 1\n"
              "     │            from     message m-1\n"
              "     │\n"
              "10:00:00.250  #4  lease.granted   w-1 on h-1 slot 0 epoch 2\n"
              "                  because  because lease.granted\n"
              "                  evidence seen so\n"
              "                  by       allocator, policy 1\n"
              "                  from     #3, 250 ms later\n");
    EXPECT_EQ(draw_chain("w-1", facts, {false, Detail::brief}),
              "2026-11-21  w-1\n"
              "10:00:00.000  #3  claim.accepted  web for ada as c-1\n"
              "10:00:00.250  #4  lease.granted   w-1 on h-1 slot 0 epoch 2\n");
}

TEST(Chain, NothingIsSaidPlainly) { EXPECT_EQ(draw_chain("w-9", {}, {}), "nothing in the ledger is about w-9\n"); }

TEST(Chain, ANewDayIsAnnounced) {
    const auto text = draw_chain("w", {fact(1, "a", "2026-11-21T23:59:59.000Z", {}, ""), fact(2, "b", "2026-11-22T00:00:01.000Z", {}, "#1")},
                                 {false, Detail::brief});
    EXPECT_NE(text.find("2026-11-22  w\n"), std::string::npos);
}

TEST(Chain, TakesOddFactsWithoutHarm) {
    for (const auto& odd : {Json(), Json::object(), Json("x"), Json{{"data", 3}, {"reason", Json::array()}, {"at", 7}, {"cause", 1}}}) {
        EXPECT_FALSE(draw_chain("w", {odd}, {}).empty());
    }
    EXPECT_EQ(gist_of("pool.defined", {{"pool", "p"}, {"buffer", "x"}}).find('\n'), std::string::npos);
    EXPECT_EQ(gist_of("lease.granted", {{"workspace", nullptr}}), "");
}

TEST(Chain, EveryFactOfTheCatalogHasAGistThatDoesNotThrow) {
    for_each_entry([](const auto& entry) {
        EXPECT_NO_THROW(gist_of(entry.name, {{"workspace", "w"}, {"host", "h"}, {"ttl_ms", "junk"}}));
    });
}

}  // namespace
}  // namespace berth::cli
