// SPDX-License-Identifier: Apache-2.0
// Cookies of previewed programs lock nobody out (field report 35).
#include <algorithm>

#include "tests/integration/proxy/world.hpp"

namespace berth::proxy_tests {
namespace {

class Cookies : public ProxyTest {
protected:
    /// So many cookies of 3.5 kB, as a program at /proxy/3000/ set them at "/".
    static std::string set_by_a_program(int count) {
        std::string all;
        for (int i = 0; i < count; ++i) all += "app" + std::to_string(i) + "=" + std::string(3'500, 'x') + "; ";
        return all;
    }
    Reply page(const std::string& path, const std::string& cookies) const {
        return visitor().ask(get(host("w-1"), path, cookies));
    }
    Reply press(const std::string& button, const std::string& cookies) const {
        return visitor().ask(request("POST", host("w-1"), button, cookies,
                                     {"Origin: null", "Sec-Fetch-Site: same-origin", "Content-Length: 0"}));
    }
    static std::string button_of(const Reply& page) {
        const auto at = page.body.find("action=\"") + 8;
        return page.body.substr(at, page.body.find('"', at) - at);
    }
};

TEST_F(Cookies, TheEditorAndNewLinksWorkOn) {
    start();
    give_routes();
    const auto six = set_by_a_program(6);

    EXPECT_EQ(page("/?folder=/berth/home", six + "vscode-tkn=t; " + cookie("w-1")).status, 200);
    const auto got = one.heads().back();
    EXPECT_NE(got.find("Cookie: vscode-tkn=t\r\n"), std::string::npos) << got.substr(0, 2'000);
    EXPECT_LT(got.size(), 1'000u);

    const auto link = token(claims(TokenPurpose::link, "w-1"));
    const auto opened = page("/_berth/open?token=" + link, six);
    EXPECT_EQ(opened.status, 302);
    EXPECT_EQ(page("/", opened.field("set-cookie").substr(0, opened.field("set-cookie").find(';')) + "; " + six).status, 200);

    EXPECT_EQ(page("/proxy/3000/", "small=1; " + cookie("w-1")).status, 200);
    EXPECT_NE(one.heads().back().find("Cookie: small=1\r\n"), std::string::npos);
}

TEST_F(Cookies, ThePreviewHasAButtonThatDropsThem) {
    start();
    give_routes();
    const auto refused = page("/proxy/3000/deep/path?q", set_by_a_program(6) + cookie("w-1"));
    EXPECT_EQ(refused.status, 431);
    EXPECT_NE(refused.body.find("cookies_too_large"), std::string::npos);
    EXPECT_EQ(one.heads().size(), 0u);
    const auto button = button_of(refused);
    EXPECT_EQ(button, "/_berth/forget-cookies/proxy/3000");

    const auto dropped = press(button, set_by_a_program(6) + "vscode-tkn=t; " + cookie("w-1"));

    EXPECT_EQ(dropped.status, 303);
    EXPECT_EQ(dropped.field("location"), "/proxy/3000/");
    const auto& set = dropped.fields.at("set-cookie");
    for (int i = 0; i < 6; ++i) {
        const auto ended = "app" + std::to_string(i) + "=; Path=/; Max-Age=0";
        EXPECT_NE(std::find(set.begin(), set.end(), ended), set.end()) << ended;
    }
    for (const auto& one_set : set) {
        EXPECT_FALSE(one_set.starts_with("berth-")) << one_set;   // the session stays
        EXPECT_FALSE(one_set.starts_with("vscode-")) << one_set;
    }
    EXPECT_EQ(visitor().ask(get(host("w-1"), button, "")).status, 405);
    EXPECT_EQ(visitor().ask(request("POST", host("w-1"), button, "", {"Origin: http://evil.example", "Content-Length: 0"})).status, 403);
}

TEST_F(Cookies, NoAmountOfThemIsForEver) {
    start();
    give_routes();
    int left = 180;   // as many as a browser keeps
    const auto all = [&] { return set_by_a_program(left) + cookie("w-1"); };
    auto answer = page("/", all());
    int presses = 0;
    while (answer.status == 431 && presses < 20) {
        EXPECT_NE(answer.body.find("head_too_large"), std::string::npos);
        const auto dropped = press(button_of(answer), all());
        ASSERT_EQ(dropped.status, 303);
        int ended = 0;
        for (const auto& set : dropped.fields.at("set-cookie")) ended += set.ends_with("=; Path=/; Max-Age=0") ? 1 : 0;
        ASSERT_GT(ended, 0);
        left -= ended;
        ++presses;
        answer = page("/", all());
    }
    EXPECT_EQ(answer.status, 200);
    EXPECT_GT(presses, 0);
}

}  // namespace
}  // namespace berth::proxy_tests
