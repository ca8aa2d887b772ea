// SPDX-License-Identifier: Apache-2.0
// What `berth top` shows of the gateway's answers, and that it fits.
#include "cli/top_frame.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace berth::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Json host(const std::string& name, std::initializer_list<const char*> uses) {
    Json slots = Json::array();
    for (const char* use : uses) slots.push_back({{"use", use}});
    return {{"host", name}, {"pool", "default"}, {"liveness", "live"}, {"admission", "open"}, {"slots", slots}, {"heard_at", "2026-11-27T15:00:08.000Z"},
            {"load", {{"cpu", 0.256}, {"memory", 0.5}, {"disk", 0.75}}}};
}

TopPicture picture() {
    return {.gateway = "http://127.0.0.1:9092",
            .health = {{"status", "degraded"}, {"version", "0.1.0"}, {"parts", {{"ledger", "ok"}, {"allocator", "silent for 9s"}}}},
            .totals = {{"broker", {{"events", 12}, {"requests", 3}, {"denied", 1}, {"slow_receiver", 0}}}},
            .pools = Json::array({{{"pool", "default"}, {"buffer_unit", "slots"}, {"buffer", 2}, {"slots_per_host", 4}, {"hosts", 2}, {"slots", 8}, {"leased", 7}, {"ready", 1}, {"launching", 0}, {"waiting", 2}}}),
            .hosts = Json::array({host("h-1", {"leased", "leased", "free", "quarantined"}), host("h-2", {"leased"})}),
            .workspaces = Json::array({{{"state", "active"}}, {{"state", "active"}}, {{"state", "stopped"}}}),
            .claims = Json::array({{{"claim", "c-9"}, {"user", "bob"}, {"project", "shop"}, {"pool", "default"}, {"state", "waiting"}, {"place", 2}, {"accepted_at", "2026-11-27T14:59:50.000Z"}},
                                   {{"claim", "c-8"}, {"user", "ada"}, {"project", "site"}, {"pool", "default"}, {"state", "waiting"}, {"place", 1}, {"accepted_at", "2026-11-27T14:59:40.000Z"}},
                                   {{"claim", "c-7"}, {"state", "granted"}, {"ended_at", "2026-11-27T14:59:30.000Z"}},
                                   {{"claim", "c-6"}, {"state", "granted"}, {"ended_at", "2026-11-27T14:00:00.000Z"}},
                                   {{"claim", "c-5"}, {"state", "denied"}, {"ended_at", "2026-11-27T14:59:59.000Z"}}}),
            .reasons = {{"c-8", "launching host (vCPU quota)"}},
            .now = *from_rfc3339("2026-11-27T15:00:10.000Z")};
}

TEST(Top, ShowsPartsClaimsPoolsAndHosts) {
    const auto frame = top_frame(picture(), {100, 0});
    EXPECT_THAT(frame, HasSubstr("berth 0.1.0 at http://127.0.0.1:9092  degraded  15:00:10\n"));
    EXPECT_THAT(frame, HasSubstr("parts     ledger ok, allocator silent for 9s\n"));
    EXPECT_THAT(frame, HasSubstr("claims    2 waiting; last minute 1 granted (0.02/s), 1 refused\n"));
    EXPECT_THAT(frame, HasSubstr("sessions  2 active, 1 stopped\n"));
    EXPECT_THAT(frame, HasSubstr("bus       12 events, 3 requests, 1 denied, 0 slow receivers\n"));
    EXPECT_THAT(frame, HasSubstr("default          2      8       7      1       2        3          0        2\n")) << "2 to keep and 2 that wait, and 1 is ready";
    EXPECT_THAT(frame, HasSubstr("h-1              default    live             26%   50%   75%     2s  ##x.\n"));
}

TEST(Top, SaysWhyWhoWaitsWaits) {
    auto shown = picture();
    const auto frame = top_frame(shown, {120, 0});
    EXPECT_THAT(frame, HasSubstr("ada          site              30s  launching host (vCPU quota)\nbob          shop              20s  place 2, 1 ready, 0 launching\n"));
    shown.claims = Json::array();
    EXPECT_THAT(top_frame(shown, {120, 0}), Not(HasSubstr("WAITS")));
    EXPECT_THAT(top_frame(shown, {120, 0}), HasSubstr("none waits"));
}

TEST(Top, CountsIdleHostsWhereThePoolDoes) {
    auto shown = picture();
    shown.pools[0]["buffer_unit"] = "hosts";
    EXPECT_EQ(top_numbers(shown)["pools"][0]["missing"], 2);
    shown.hosts.push_back(host("h-3", {"free", "free"}));
    EXPECT_EQ(top_numbers(shown)["pools"][0]["missing"], 1);
    shown.hosts.back()["liveness"] = "gone";
    EXPECT_EQ(top_numbers(shown)["pools"][0]["missing"], 2);
    EXPECT_EQ(top_numbers(shown)["hosts"].size(), 2u);
}

TEST(Top, FitsTheTerminal) {
    use_utf8();
    auto shown = picture();
    shown.gateway = std::string(200, 'g');
    shown.reasons["c-8"] = "ein sehr langer Grund, über viele Wörter, ohne Ende " + std::string(100, '.');
    for (int i = 0; i < 40; ++i) {
        shown.hosts.push_back(host("h-with-a-very-long-name-" + std::to_string(i), {"free"}));
        shown.claims.push_back({{"claim", "c"}, {"user", "u" + std::to_string(i)}, {"state", "waiting"}, {"accepted_at", "2026-11-27T14:59:55.000Z"}});
    }
    for (const std::size_t columns : {40u, 80u, 200u}) {
        for (const std::size_t rows : {10u, 24u, 50u}) {
            SCOPED_TRACE(std::to_string(columns) + "x" + std::to_string(rows));
            const auto lines = split(top_frame(shown, {columns, rows}), '\n');
            for (const auto& line : lines) EXPECT_LE(display_width(line), columns) << line;
            if (rows >= 24) {
                EXPECT_LE(lines.size(), rows + 1);
            }
        }
    }
    EXPECT_THAT(top_frame(shown, {80, 24}), HasSubstr(" more"));
}

TEST(Top, ShowsNothingThatATerminalWouldObey) {
    auto shown = picture();
    shown.hosts[0]["host"] = "h\033[2J";
    shown.reasons["c-8"] = "x\ny";
    shown.health["parts"]["ledger"] = "\033]0;t\a";
    const auto frame = top_frame(shown, {120, 0});
    EXPECT_EQ(frame.find_first_of("\033\a"), std::string::npos);
}

TEST(Top, OfAGatewayThatSaysLittle) {
    const TopPicture empty{.gateway = "g", .health = Json::object(), .totals = Json::object(), .pools = Json::array(), .hosts = Json::array(), .workspaces = Json::array(),
                           .claims = Json::array(), .reasons = {}, .now = Instant{}};
    EXPECT_THAT(top_frame(empty, {80, 24}), HasSubstr("none named"));
    EXPECT_EQ(top_numbers(empty)["pools"].size(), 0u);
}

}  // namespace
}  // namespace berth::cli
