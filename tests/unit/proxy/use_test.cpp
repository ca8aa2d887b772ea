// SPDX-License-Identifier: Apache-2.0
#include "proxy/use.hpp"

#include <gtest/gtest.h>

namespace berth::proxy {
namespace {

constexpr Instant start_of_time{Duration{1'000'000'000}};

TEST(Use, TellsTheEditorsOwnFromThePersonsPrograms) {
    const struct {
        std::string_view path;
        bool websocket;
        Target target;
    } rows[] = {
        {"/stable-1234?reconnectionToken=a-b&reconnection=false&skipWebSocketFrames=false", true, Target::editor_socket},
        {"/?reconnectionToken=a", true, Target::editor_socket},
        {"/stable-1234/static/out/vs/code.js", false, Target::editor_part},
        {"/vscode-remote-resource?path=/etc/passwd", false, Target::editor_part},
        {"/mint-key", false, Target::editor_part},
        {"/proxy/3000", false, Target::program},
        {"/proxy/3000/", true, Target::program},
        {"/proxy/3000/?reconnectionToken=a", true, Target::program},
        {"/absproxy/80/a", false, Target::program},
        {"/absproxy/80?a", false, Target::program},
        {"/proxy/", false, Target::page},
        {"/proxy/x", false, Target::page},
        {"/proxy/3000x", false, Target::page},
        {"/", false, Target::page},
        {"/?reconnectionToken=a", false, Target::page},
        {"/ws", true, Target::page},
    };
    for (const auto& row : rows) EXPECT_EQ(target_of(row.path, row.websocket), row.target) << row.path;
}

TEST(Use, APersonsActCountsAndThePagesOwnRequestsDoWhileTheyKeepNoRhythm) {
    const auto sign = [](Target target, std::string_view method, std::string_view mode, std::string_view user) {
        return sign_of({.target = target, .method = method, .fetch_mode = mode, .fetch_user = user});
    };
    EXPECT_EQ(sign(Target::program, "GET", "navigate", "?1"), Sign::always);
    EXPECT_EQ(sign(Target::program, "GET", "navigate", ""), Sign::unless_it_repeats) << "a page that loads itself again";
    EXPECT_EQ(sign(Target::program, "GET", "cors", ""), Sign::unless_it_repeats);
    EXPECT_EQ(sign(Target::program, "POST", "cors", ""), Sign::always);
    EXPECT_EQ(sign(Target::program, "GET", "", ""), Sign::unless_it_repeats);
    EXPECT_EQ(sign(Target::page, "GET", "", ""), Sign::always);
    EXPECT_EQ(sign(Target::editor_socket, "GET", "websocket", ""), Sign::never);
    EXPECT_EQ(sign(Target::editor_part, "GET", "no-cors", ""), Sign::never);
    EXPECT_EQ(sign_of({.target = Target::page, .method = "GET", .fetch_mode = "navigate", .fetch_user = "?1", .prefetch = true}), Sign::never);
}

TEST(Use, WhereNobodyListensNobodyIsServed_34) {
    EXPECT_TRUE(is_failure(500));
    EXPECT_TRUE(is_failure(502));
    EXPECT_FALSE(is_failure(404));
    EXPECT_FALSE(is_failure(101));
}

TEST(Rhythm, EvenIntervalsAreNoPerson) {
    Rhythm rhythm;
    auto now = start_of_time;
    EXPECT_FALSE(rhythm.repeats("/a", now));
    EXPECT_FALSE(rhythm.repeats("/a", now += Duration{3'000}));
    EXPECT_TRUE(rhythm.repeats("/a", now += Duration{3'020}));
    EXPECT_TRUE(rhythm.repeats("/a", now += Duration{2'900}));
    EXPECT_FALSE(rhythm.repeats("/b", now));
    EXPECT_FALSE(rhythm.repeats("/a", now += Duration{1'200})) << "somebody asked in between";
    EXPECT_FALSE(rhythm.repeats("/a", now += Duration{7'000}));
    EXPECT_FALSE(rhythm.repeats("/a", now += Duration{4'000}));
}

TEST(Rhythm, RemembersABoundedNumberOfThem) {
    Rhythm rhythm;
    auto now = start_of_time;
    for (int round = 0; round < 3; ++round) {
        now += Duration{5'000};
        for (std::size_t i = 0; i <= beats_max; ++i) EXPECT_FALSE(rhythm.repeats(std::to_string(i), now)) << "forgotten, so in doubt use";
    }
}

}  // namespace
}  // namespace berth::proxy
