// SPDX-License-Identifier: Apache-2.0
// Who may reach which workspace (I25, I26), as tables.
#include "proxy/access.hpp"

#include <gtest/gtest.h>

#include "proxy/names.hpp"

namespace berth::proxy {
namespace {

const std::string secret(64, 's');
const HostId host{"h-1"};
const Instant now{Duration{1'800'000'000'000}};
const RouteRecord route{.workspace = {"w-1"}, .user = {"ada"}, .slot = 3, .epoch = Epoch{7}, .container = {"c-1"},
                        .port = 20'001, .confirmed_at = now};

TokenClaims session() {
    return {.purpose = TokenPurpose::session,
            .host = host,
            .workspace = {"w-1"},
            .epoch = Epoch{7},
            .user = {"ada"},
            .id = "s-1",
            .expires_at = now + Duration{1'000}};
}

Refusal why(const Judged<void>& judged) { return judged ? Refusal::no_such_page : judged.error(); }

TEST(Access, ASessionIsForOneWorkspaceUserAndEpochUntilItEnds) {
    EXPECT_TRUE(judge_claims(session(), route, now));

    auto other_user = session();
    other_user.user = {"bob"};
    EXPECT_EQ(why(judge_claims(other_user, route, now)), Refusal::other_session);
    auto other_workspace = session();
    other_workspace.workspace = {"w-2"};
    EXPECT_EQ(why(judge_claims(other_workspace, route, now)), Refusal::other_session);
    for (const std::uint64_t epoch : {0, 6, 8}) {
        auto other_epoch = session();
        other_epoch.epoch = Epoch{epoch};
        EXPECT_EQ(why(judge_claims(other_epoch, route, now)), Refusal::ended_session);
    }
    EXPECT_EQ(why(judge_claims(session(), route, now + Duration{1'000})), Refusal::ended_session);
}

TEST(Access, ALinkIsNoSessionAndASessionNoLink) {
    const auto as_session = mint_token(session(), secret);
    auto link = session();
    link.purpose = TokenPurpose::link;
    const auto as_link = mint_token(link, secret);

    EXPECT_TRUE(judge_session(as_session, host, secret, now));
    EXPECT_FALSE(judge_session(as_link, host, secret, now));
    EXPECT_TRUE(judge_link(as_link, {"w-1"}, host, secret, now));
    EXPECT_FALSE(judge_link(as_session, {"w-1"}, host, secret, now));
    EXPECT_FALSE(judge_link(as_link, {"w-2"}, host, secret, now));
    EXPECT_FALSE(judge_link(as_link, {"w-1"}, {"h-2"}, secret, now));
    EXPECT_FALSE(judge_link(as_link, {"w-1"}, host, std::string(64, 'x'), now));
}

TEST(Access, ARouteIsUsableWhileItsGrantIsFresh) {
    const Policy policy;
    auto old = route;
    old.confirmed_at = now - policy.grant_age_max;
    EXPECT_TRUE(usable(old, policy, now));
    old.confirmed_at -= Duration{1};
    EXPECT_EQ(usable(old, policy, now).error(), Refusal::unconfirmed);

    auto no_port = route;
    no_port.port = 0;
    EXPECT_FALSE(usable(no_port, policy, now));
    no_port.socket = "";
    EXPECT_FALSE(usable(no_port, policy, now));
    no_port.socket = "/slot/editor.sock";
    EXPECT_TRUE(usable(no_port, policy, now));
    EXPECT_FALSE(usable(std::nullopt, policy, now));
}

TEST(Access, AWayIsTheSameOnlyForTheSameContainerOfTheSameLease) {
    EXPECT_TRUE(same_way(route, route));
    const auto differs = [](auto change) {
        auto other = route;
        change(other);
        return !same_way(route, other);
    };
    EXPECT_TRUE(differs([](auto& r) { r.workspace = {"w-2"}; }));
    EXPECT_TRUE(differs([](auto& r) { r.epoch = Epoch{8}; }));
    EXPECT_TRUE(differs([](auto& r) { r.container = {"c-2"}; }));
    EXPECT_TRUE(differs([](auto& r) { r.port = 20'002; }));
    EXPECT_TRUE(differs([](auto& r) { r.socket = "/slot/editor.sock"; }));
    EXPECT_FALSE(differs([](auto& r) { r.confirmed_at += Duration{1}; }));
}

TEST(Access, ASlotTellsWhyThereIsNoRoute) {
    const auto told = [](SlotPhase phase) {
        return why_no_route({"w-1"}, {{.slot = 0, .phase = SlotPhase::bound, .workspace = {"w-2"}},
                                      {.slot = 1, .phase = phase, .workspace = {"w-1"}}});
    };
    EXPECT_EQ(told(SlotPhase::preparing), Refusal::starting);
    EXPECT_EQ(told(SlotPhase::binding), Refusal::starting);
    EXPECT_EQ(told(SlotPhase::stopping), Refusal::stopped);
    EXPECT_EQ(told(SlotPhase::stopped), Refusal::stopped);
    EXPECT_EQ(told(SlotPhase::empty), Refusal::unknown_workspace);
    EXPECT_EQ(why_no_route({"w-1"}, {}), Refusal::unknown_workspace);
}

TEST(Access, WebSocketsAndChangesNeedOurOrigin) {
    const std::string ours = "http://w-1.localhost:80";
    const auto allowed = [&](std::string_view method, bool websocket, std::optional<std::string_view> origin) {
        return judge_origin({.method = method, .websocket = websocket, .origin = origin, .scheme = "http",
                             .host = "w-1.localhost:80"})
            .has_value();
    };
    for (const auto* method : {"GET", "HEAD", "OPTIONS"}) {
        EXPECT_TRUE(allowed(method, false, std::nullopt)) << method;
        EXPECT_TRUE(allowed(method, false, ours)) << method;
        EXPECT_FALSE(allowed(method, false, "http://w-2.localhost:80")) << method;
        EXPECT_FALSE(allowed(method, false, "null")) << method;
    }
    for (const auto* method : {"POST", "PUT", "DELETE", "PATCH", "PROPFIND", "get", "LOCK"}) {
        EXPECT_TRUE(allowed(method, false, ours)) << method;
        EXPECT_FALSE(allowed(method, false, std::nullopt)) << method;
        EXPECT_FALSE(allowed(method, false, "null")) << method;
        EXPECT_FALSE(allowed(method, false, "http://w-2.localhost:80")) << method;
    }
    EXPECT_TRUE(allowed("GET", true, ours));
    EXPECT_FALSE(allowed("GET", true, std::nullopt));
    EXPECT_FALSE(allowed("GET", true, "http://w-2.localhost:80"));
}

TEST(Access, APageThatVeilsItselfIsOursOnlyByTheBrowsersOwnWord) {
    const auto allowed = [](std::string_view method, std::string_view site, bool websocket = false, bool twice = false) {
        return judge_origin({.method = method, .websocket = websocket, .origin = "null", .origin_repeated = twice,
                             .scheme = "http", .host = "w-1.localhost:80", .fetch_site = site})
            .has_value();
    };
    for (const auto* method : {"GET", "POST", "PUT", "DELETE"}) {
        EXPECT_TRUE(allowed(method, "same-origin")) << method;
        EXPECT_FALSE(allowed(method, "same-origin", false, true)) << method;
        for (const auto* site : {"", "none", "same-site", "cross-site", "Same-Origin", "same-origin, cross-site"}) {
            EXPECT_FALSE(allowed(method, site)) << method << " " << site;
        }
    }
    EXPECT_FALSE(allowed("GET", "same-origin", true));
}

TEST(Access, APageOfAnotherSiteReadsNothingButAPersonMayFollowALink) {
    const auto allowed = [](std::string_view site, std::string_view mode, std::string_view destination,
                            bool websocket = false) {
        return judge_origin({.method = "GET", .websocket = websocket, .scheme = "http", .host = "w-1.localhost:80",
                             .fetch_site = site, .fetch_mode = mode, .fetch_destination = destination})
            .has_value();
    };
    for (const auto* site : {"same-site", "cross-site"}) {
        EXPECT_TRUE(allowed(site, "navigate", "document"));
        EXPECT_FALSE(allowed(site, "navigate", "iframe"));
        EXPECT_FALSE(allowed(site, "no-cors", "script"));
        EXPECT_FALSE(allowed(site, "no-cors", "document"));
        EXPECT_FALSE(allowed(site, "", ""));
        EXPECT_FALSE(allowed(site, "navigate", "document", true));
    }
    for (const auto* site : {"", "none", "same-origin"}) {
        EXPECT_TRUE(allowed(site, "no-cors", "script"));
        EXPECT_FALSE(allowed(site, "websocket", "websocket", true));   // Sec-Fetch-Site alone opens nothing
    }
}

TEST(Access, APrefetchIsNoPerson) {
    EXPECT_TRUE(is_prefetch("prefetch", ""));
    EXPECT_TRUE(is_prefetch("prefetch;prerender", ""));
    EXPECT_TRUE(is_prefetch("", "image"));
    EXPECT_TRUE(is_prefetch("", "iframe"));
    EXPECT_TRUE(is_prefetch("", "empty"));
    EXPECT_FALSE(is_prefetch("", "document"));
    EXPECT_FALSE(is_prefetch("", ""));
}

}  // namespace
}  // namespace berth::proxy
