// SPDX-License-Identifier: Apache-2.0
// What the gateway answers, as a value or an error with an exit code that scripts may rely on.
#include <gtest/gtest.h>

#include "cli/exit.hpp"
#include "cli/gateway_client.hpp"
#include "cli/pool_report.hpp"

namespace berth::cli {
namespace {

Result<Json> answered(long status, const std::string& body) {
    return read_answer(http::Answer{.status = status, .headers = {}, .body = body}, "http://gateway");
}

TEST(Answers, SuccessIsItsBody) {
    const auto body = answered(200, "{\"workspace\":\"w-1\"}");
    ASSERT_TRUE(body);
    EXPECT_EQ(text_at(*body, "workspace"), "w-1");
}

TEST(Answers, TheKindOfAProblemWinsOverItsStatus) {
    const auto body = answered(503, R"({"title":"no","detail":"no slot is free","kind":"no_capacity"})");
    ASSERT_FALSE(body);
    EXPECT_EQ(body.error().kind, ErrorKind::no_capacity);
    EXPECT_EQ(body.error().text, "no slot is free");
}

TEST(Answers, OldErrorsAreReadToo) {
    const auto body = answered(404, R"({"error":"No idle machine found"})");
    ASSERT_FALSE(body);
    EXPECT_EQ(body.error().kind, ErrorKind::not_found);
    EXPECT_EQ(body.error().text, "No idle machine found");
}

TEST(Answers, AnyStatusWithoutAWordStillSaysSomething) {
    for (const long status : {400L, 401L, 403L, 404L, 408L, 409L, 413L, 418L, 429L, 500L, 502L, 503L, 504L}) {
        for (const auto* text : {"", "<html>", "[1]", "null", "{\"detail\":5}"}) {
            const auto body = answered(status, text);
            ASSERT_FALSE(body) << status;
            EXPECT_FALSE(body.error().text.empty()) << status << text;
        }
    }
}

TEST(Answers, ARefusedTokenSaysWhereTokensAreLookedFor) {
    const auto body = answered(401, "");
    ASSERT_FALSE(body);
    EXPECT_EQ(body.error().kind, ErrorKind::denied);
    EXPECT_NE(body.error().text.find("--token-file"), std::string::npos);
}

TEST(Answers, AFrontProxysPageIsACutAndTheGatewaysRefusalIsNone_field_report_17) {
    const auto cut = [](long status, const std::string& body) { return is_cut(http::Answer{.status = status, .headers = {}, .body = body}); };
    for (const long status : {502L, 503L, 504L}) {
        for (const auto* page : {"", "<html>502 Bad Gateway</html>", "{}", "[]", "{\"message\":\"no upstream\"}"}) EXPECT_TRUE(cut(status, page)) << status << page;
        EXPECT_FALSE(cut(status, R"({"kind":"timeout","detail":"not in time"})")) << status;
    }
    EXPECT_FALSE(cut(200, ""));
    EXPECT_FALSE(cut(500, ""));
    EXPECT_TRUE(is_cut(fail(ErrorKind::unavailable, "connection reset")));
    EXPECT_FALSE(is_cut(fail(ErrorKind::timeout, "interrupted")));
}

TEST(Answers, NoJsonWhereJsonBelongsIsAnError) { EXPECT_FALSE(answered(200, "<html>")); }

TEST(ExitCodes, ArePromisedNumbers) {
    const std::pair<ErrorKind, int> promised[] = {
        {ErrorKind::invalid, 2},     {ErrorKind::no_capacity, 3}, {ErrorKind::denied, 4},  {ErrorKind::not_found, 5},
        {ErrorKind::conflict, 6},    {ErrorKind::fenced, 6},      {ErrorKind::timeout, 124}, {ErrorKind::unavailable, 1},
        {ErrorKind::internal, 1},    {ErrorKind::corrupt, 1},     {ErrorKind::limit, 1}};
    for (const auto& [kind, number] : promised) EXPECT_EQ(static_cast<int>(exit_of(kind)), number) << to_string(kind);
    EXPECT_EQ(static_cast<int>(Exit::interrupted), 130);
    EXPECT_EQ(static_cast<int>(Exit::ok), 0);
}

TEST(ExitCodes, OfStatusesWithoutAKind) {
    EXPECT_EQ(kind_of_status(422), ErrorKind::invalid);
    EXPECT_EQ(kind_of_status(409), ErrorKind::conflict);
    EXPECT_EQ(kind_of_status(504), ErrorKind::timeout);
    EXPECT_EQ(kind_of_status(599), ErrorKind::internal);
}

TEST(Url, IsEncodedByteByByte) { EXPECT_EQ(http::url_encoded("a/b c?ü"), "a%2Fb%20c%3F%C3%BC"); }

TEST(Answers, APoolTellsItsNewestTroubleAndAllAdvice) {
    const auto pool = Json::parse(R"({"pool":"default","advice":["AZRebalance is on"],
        "troubles":[{"at":"2026-11-27T12:00:00.000Z","failure":"quota","text":"8 vCPU","zone":"z-1"},{"at":"2026-11-27T11:00:00.000Z","failure":"quota","text":"old"}]})");
    const auto said = provider_says(pool);
    ASSERT_EQ(said.size(), 2U);
    EXPECT_EQ(said[0].text, "no machine came at 2026-11-27T12:00:00.000Z in z-1 (quota): 8 vCPU");
    EXPECT_EQ(said[0].way_out, "2 such in the last hour; `berth pools -o json` shows them");
    EXPECT_EQ(said[1].text, "AZRebalance is on");
    EXPECT_TRUE(provider_says(Json::parse("{}")).empty());
    EXPECT_TRUE(provider_says(Json::parse(R"({"troubles":"?","advice":[1]})")).empty());
}

}  // namespace
}  // namespace berth::cli
