// SPDX-License-Identifier: Apache-2.0
#include "proxy/pages.hpp"

#include <gtest/gtest.h>

namespace berth::proxy {
namespace {

TEST(Pages, EachRefusalHasAStatusAndWords) {
    for (std::size_t i = 0; i < enum_names(Refusal{}).size(); ++i) {
        const auto why = static_cast<Refusal>(i);
        SCOPED_TRACE(to_string(why));
        const auto html = refuse(why, "text/html,*/*;q=0.8");
        EXPECT_GE(html.status, 400u);
        EXPECT_NE(html.status, 500u);
        EXPECT_TRUE(html.type.starts_with("text/html"));
        EXPECT_NE(html.body.find(to_string(why)), std::string::npos);

        const auto json = refuse(why, "application/json");
        EXPECT_EQ(json.status, html.status);
        EXPECT_EQ(json.type, "application/problem+json");
        EXPECT_EQ(json.body.find('<'), std::string::npos);
        EXPECT_NE(json.body.find("\"code\":\"" + std::string{to_string(why)} + "\""), std::string::npos);
    }
}

TEST(Pages, WhoHasNoSessionIsToldHowToGetOne) {
    const auto page = refuse(Refusal::no_session, "");
    EXPECT_EQ(page.status, 401u);
    EXPECT_NE(page.body.find("dashboard"), std::string::npos);
    EXPECT_NE(page.body.find("berth open"), std::string::npos);
}

TEST(Pages, APageThatWillMendLoadsItselfAgain) {
    EXPECT_NE(refuse(Refusal::starting, "").body.find("http-equiv=\"refresh\" content=\"2\""), std::string::npos);
    EXPECT_EQ(refuse(Refusal::stopped, "").body.find("refresh"), std::string::npos);
    EXPECT_EQ(refuse(Refusal::used_link, "").body.find("refresh"), std::string::npos);
}

TEST(Pages, JsonIsForThoseWhoPreferIt) {
    EXPECT_TRUE(refuse(Refusal::stopped, "application/json, text/plain, */*").type.ends_with("json"));
    EXPECT_TRUE(refuse(Refusal::stopped, "application/problem+json").type.ends_with("json"));
    EXPECT_TRUE(refuse(Refusal::stopped, "text/html, application/json").type.starts_with("text/html"));
    EXPECT_TRUE(refuse(Refusal::stopped, "*/*").type.starts_with("text/html"));
}

}  // namespace
}  // namespace berth::proxy
