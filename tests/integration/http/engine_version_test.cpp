// SPDX-License-Identifier: Apache-2.0
// Which version of the Engine API is spoken, told by scripted engines (field report 26).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "docker/client.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/listener.hpp"

namespace berth::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Speaks `newest` down to `oldest`, and refuses every other version in the words of dockerd.
Listener::Script engine(const std::string& newest, const std::string& oldest) {
    return [=](const std::string& request) {
        if (request.starts_with("GET /_ping ")) return http_answer(200, "OK", "Api-Version: " + newest + "\r\n");
        if (request.starts_with("GET /version ")) {
            return http_answer(200, fmt::format(R"({{"ApiVersion":"{}","MinAPIVersion":"{}"}})", newest, oldest));
        }
        const auto version = request.substr(request.find("/v") + 2, 4);
        const auto refuse = [&](const char* how, const char* bound, const std::string& known) {
            return http_answer(400, fmt::format(R"({{"message":"client version {} is too {}. {} supported API version is {}"}})", version,
                                                how, bound, known));
        };
        if (version < oldest) return refuse("old", "Minimum", oldest);
        if (version > newest) return refuse("new", "Maximum", newest);
        return http_answer(200, "[]");
    };
}

struct EngineVersion : ::testing::Test {
    Folder folder;
    std::string socket = folder / "engine.sock";
    std::vector<std::string> first_lines(const Listener& listener) {
        std::vector<std::string> lines;
        for (const auto& request : listener.requests()) lines.push_back(request.substr(0, request.find(" HTTP")));
        return lines;
    }
};

TEST_F(EngineVersion, is_the_newest_that_both_know_and_is_asked_for_once) {
    Listener listener(engine("1.44", "1.44"), socket);
    const docker::Client client(socket);

    EXPECT_TRUE(client.containers({}));
    EXPECT_TRUE(client.has_image("x"));

    EXPECT_THAT(first_lines(listener), ElementsAre("GET /_ping", HasSubstr("GET /v1.44/containers/json"), "GET /v1.44/images/x/json"));
}

TEST_F(EngineVersion, of_an_engine_that_is_newer_than_berth_is_berths_newest) {
    Listener listener(engine("1.52", "1.44"), socket);
    const docker::Client client(socket);

    const auto version = client.ping(Duration{5'000});

    ASSERT_TRUE(version) << version.error().text;
    EXPECT_EQ(*version, docker::version_newest);
    EXPECT_TRUE(client.containers({}));
}

TEST_F(EngineVersion, is_asked_for_again_when_another_engine_listens_there) {
    const docker::Client client(socket);
    {
        Listener old(engine("1.41", "1.12"), socket);
        EXPECT_TRUE(client.containers({}));
    }
    std::filesystem::remove(socket);
    Listener replaced(engine("1.45", "1.44"), socket);

    const auto listed = client.containers({});

    EXPECT_TRUE(listed) << listed.error().text;
}

TEST_F(EngineVersion, that_fits_nobody_is_told_in_one_line_with_both_sides) {
    for (const auto& [newest, oldest] : {std::pair{"1.30", "1.12"}, std::pair{"1.60", "1.55"}}) {
        std::filesystem::remove(socket);
        Listener listener(engine(newest, oldest), socket);

        const auto answer = docker::Client(socket).containers({});

        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().kind, ErrorKind::conflict);
        EXPECT_THAT(answer.error().text, ::testing::AnyOf(HasSubstr("API 1.30 and older, berth 1.41 and newer"),
                                                          HasSubstr("API 1.55 and newer, berth 1.47 and older")));
    }
}

}  // namespace
}  // namespace berth::testing
