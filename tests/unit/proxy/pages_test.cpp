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

TEST(Pages, WhoCanBeLedBackIsShownTheWay) {   // field report 21
    const auto back = way_back("https://berth.example.org", {"w-1"});
    EXPECT_EQ(back, "https://berth.example.org/open/w-1");
    EXPECT_EQ(way_back("", {"w-1"}), "");
    for (const auto why : {Refusal::no_session, Refusal::ended_session, Refusal::cookie_lost, Refusal::used_link,
                           Refusal::bad_link, Refusal::stopped, Refusal::unknown_workspace}) {
        SCOPED_TRACE(to_string(why));
        EXPECT_NE(refuse(why, "", "", back).body.find("href=\"" + back + "\""), std::string::npos);
        EXPECT_NE(refuse(why, "application/json", "", back).body.find("\"open\":\"" + back + "\""), std::string::npos);
        EXPECT_EQ(refuse(why, "", "", "").body.find("/open/"), std::string::npos);
    }
    EXPECT_EQ(refuse(Refusal::foreign_origin, "", "", back).body.find(back), std::string::npos);
    EXPECT_FALSE(is_led_back(Refusal::cookie_lost));   // it would come back here, round and round
    EXPECT_TRUE(is_led_back(Refusal::stopped));        // it is started there
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
