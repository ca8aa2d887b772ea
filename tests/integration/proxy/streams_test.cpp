// SPDX-License-Identifier: Apache-2.0
// Bytes both ways: bodies of every framing, streams that are not held back, WebSockets, and how much
// of it all the proxy keeps.
#include <sys/socket.h>

#include <fstream>

#include "tests/integration/proxy/world.hpp"

namespace berth::proxy_tests {
namespace {

constexpr std::size_t megabyte = 1'048'576;

std::string chunked(std::string_view bytes, std::size_t piece) {
    std::string text;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
        char size[32];
        std::snprintf(size, sizeof size, "%zX;name=\"a\"\r\n", std::min(piece, bytes.size()));
        text += size + std::string{bytes.substr(0, piece)} + "\r\n";
    }
    return text + "0\r\nX-Trailer: canary\r\n\r\n";
}

class Streams : public ProxyTest {
protected:
    void SetUp() override {
        start();
        give_routes();
    }
    std::string page(const std::string& path, const std::vector<std::string>& more = {}) const {
        return get(host("w-1"), path, cookie("w-1"), more);
    }
    std::string post(const std::string& path, std::vector<std::string> more) const {
        more.push_back(origin("w-1"));
        return request("POST", host("w-1"), path, cookie("w-1"), more);
    }
};

TEST_F(Streams, ADownloadOfEachFramingArrivesWhole) {
    auto browser = visitor();
    for (const std::string path :
         {"/download?0", "/download?1", "/download?3000000", "/chunked?1", "/chunked?3000000"}) {
        const auto size = std::stoul(path.substr(path.find('?') + 1));
        const auto answer = browser.ask(page(path));
        EXPECT_EQ(answer.status, 200) << path;
        EXPECT_TRUE(answer.whole && sha256(answer.body) == sha256(pattern(size))) << path;
        EXPECT_EQ(answer.has("transfer-encoding"), path.starts_with("/chunked")) << path;
    }
    EXPECT_EQ(one.connections(), 1u);   // kept for the same browser

    const auto to_end = browser.ask(page("/until-close?3000000"));
    EXPECT_EQ(to_end.field("transfer-encoding"), "chunked");   // an end that can be told from a cut
    EXPECT_TRUE(sha256(to_end.body) == sha256(pattern(3'000'000)));
    EXPECT_EQ(browser.ask(page("/head")).status, 200);
}

TEST_F(Streams, FiftyMegabytesGoEitherWayAndAreNotKept) {
    const auto all = pattern(50 * megabyte);
    const auto hash = sha256(all);
    EXPECT_EQ(visitor().ask(page("/download?1000000")).status, 200);
    const auto before = resident_bytes();

    auto up = visitor();
    up.send(post("/upload", {"Content-Length: " + std::to_string(all.size())}));
    up.send(all);
    EXPECT_EQ(up.reply().body, std::to_string(all.size()) + " " + hash);
    EXPECT_TRUE(sha256(visitor().ask(page("/download?" + std::to_string(all.size()))).body) == hash);

    EXPECT_LT(resident_bytes(), before + 24 * megabyte);
}

TEST_F(Streams, AChunkedUploadArrivesWholeAndWithoutItsTrailers) {
    const auto all = pattern(3 * megabyte + 17);
    for (const std::size_t piece : {std::size_t{70'001}, std::size_t{1'000'000}}) {
        const auto answer = visitor().ask(post("/upload", {"Transfer-Encoding: chunked"}) + chunked(all, piece));
        EXPECT_EQ(answer.body, std::to_string(all.size()) + " " + sha256(all)) << piece;
    }
    const auto answer =
        visitor().ask(post("/upload", {"Transfer-Encoding: chunked"}) + chunked(all.substr(0, 900), 1));
    EXPECT_EQ(answer.body, "900 " + sha256(all.substr(0, 900)));
    for (const auto& head : one.heads()) EXPECT_EQ(head.find("canary"), std::string::npos);
}

TEST_F(Streams, WhoeverReadsSlowlySlowsTheOtherSideDown) {
    auto browser = visitor();
    browser.send(page("/download?" + std::to_string(100 * megabyte)));
    EXPECT_EQ(browser.head().status, 200);

    // Nobody reads on: the container comes to a halt at what sockets and one chunk hold.
    std::size_t sent = 0;
    const auto halted = [&] {
        const auto now_sent = one.bytes_sent();
        return std::exchange(sent, now_sent) == now_sent && now_sent > 0;
    };
    int calm = 0;
    EXPECT_TRUE(eventually([&] { return (calm = halted() ? calm + 1 : 0) > 60; }));
    EXPECT_LT(one.bytes_sent(), 40 * megabyte);

    EXPECT_EQ(visitor().ask(page("/head")).status, 200);   // and nobody else is held up
}

TEST_F(Streams, EventsArriveWhenTheyAreSentNotWhenTheStreamEnds) {
    auto browser = visitor();
    browser.send(page("/sse"));
    const auto head = browser.head();
    EXPECT_EQ(head.field("content-type"), "text/event-stream");
    std::string came;
    while (came.find("first") == std::string::npos) came += browser.receive();
    EXPECT_EQ(came.find("second"), std::string::npos);

    one.open_gate();
    while (came.find("0\r\n\r\n") == std::string::npos) came += browser.receive();
    EXPECT_NE(came.find("second"), std::string::npos);
}

TEST_F(Streams, AHeadAloneArrivesBeforeItsBody) {
    auto browser = visitor();
    browser.send(page("/gate?0"));
    EXPECT_EQ(browser.head().status, 200);
    one.open_gate();
    EXPECT_EQ(browser.receive_exactly(4), "rest");
}

TEST_F(Streams, AnswersWithoutABodyHaveNone) {
    auto browser = visitor();
    EXPECT_EQ(browser.ask(page("/204")).status, 204);
    const auto unchanged = browser.ask(page("/304"));
    EXPECT_EQ(unchanged.status, 304);
    EXPECT_EQ(unchanged.field("etag"), "\"a\"");
    EXPECT_FALSE(unchanged.has("transfer-encoding"));
    const auto head = browser.ask(request("HEAD", host("w-1"), "/", cookie("w-1")), "HEAD");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.field("content-length"), "12345");
    EXPECT_EQ(browser.ask(page("/head")).status, 200);
    EXPECT_EQ(browser.ask(request("HEAD", host("w-1"), "/head", ""), "HEAD").status, 401);
    EXPECT_EQ(browser.ask(page("/head")).status, 200);   // the same connection all along
}

TEST_F(Streams, InterimAnswersPass) {
    auto browser = visitor();
    browser.send(post("/100", {"Content-Length: 5", "Expect: 100-continue"}));
    EXPECT_EQ(browser.head().status, 100);
    browser.send("hello");
    EXPECT_EQ(browser.reply().body, "5 " + sha256("hello"));

    browser.send(page("/103"));
    const auto early = browser.head();
    EXPECT_EQ(early.status, 103);
    EXPECT_EQ(early.field("link"), "</a>; rel=preload");
    EXPECT_EQ(browser.reply().status, 200);
}

TEST_F(Streams, PipelinedRequestsAreAnsweredInOrder) {
    auto browser = visitor();
    browser.send(page("/download?5") + page("/_berth/health") + post("/upload", {"Content-Length: 3"}) + "abc" +
                 page("/204") + page("/head"));
    EXPECT_EQ(browser.reply().body, pattern(5));
    EXPECT_EQ(browser.reply().body, "{\"status\":\"ok\"}\n");
    EXPECT_EQ(browser.reply().body, "3 " + sha256("abc"));
    EXPECT_EQ(browser.reply().status, 204);
    EXPECT_TRUE(browser.reply().body.starts_with("GET /head "));
}

TEST_F(Streams, AnAnswerMayComeBeforeTheUploadHasEnded) {
    auto browser = visitor();
    browser.send(post("/413", {"Content-Length: " + std::to_string(50 * megabyte)}));
    browser.send(std::string(megabyte, 'a'));
    const auto answer = browser.reply();
    EXPECT_EQ(answer.status, 413);
    EXPECT_EQ(answer.body, "big");
    EXPECT_TRUE(browser.ends_within(patience));
}

TEST_F(Streams, WhatEndsTooEarlyNeverLooksWhole) {
    for (const auto* path : {"/truncated", "/truncated-chunked"}) {
        auto browser = visitor();
        browser.send(page(path));
        EXPECT_EQ(browser.head().status, 200);
        std::string came;
        for (auto piece = browser.receive(); !piece.empty(); piece = browser.receive()) came += piece;
        EXPECT_EQ(came.find("0\r\n\r\n"), std::string::npos) << path;
    }
    {
        auto browser = visitor();
        browser.send(post("/upload", {"Content-Length: 100"}) + "half");
    }
    {
        auto browser = visitor();
        browser.send(post("/upload", {"Transfer-Encoding: chunked"}) + "4\r\nhalf\r\n");
    }
    EXPECT_TRUE(eventually([&] { return one.uploads().size() == 2; }));
    for (const auto& upload : one.uploads()) EXPECT_EQ(upload, "cut");
}

TEST_F(Streams, ABrowserThatLeavesEndsItsRequestInTheContainer) {
    const auto before = settled_descriptors();
    {
        auto browser = visitor();
        browser.send(page("/never"));
        EXPECT_TRUE(eventually([&] { return one.heads().size() == 1; }));
        EXPECT_EQ(open_descriptors(), before + 2);   // the browser's and the container's
    }
    EXPECT_TRUE(eventually([&] { return open_descriptors() == before; }, Duration{5'000}));
}

TEST_F(Streams, HttpOneDotZeroIsAnswered) {
    auto browser = visitor();
    browser.send("GET /chunked?300000 HTTP/1.0\r\nHost: " + host("w-1") + "\r\nCookie: " + cookie("w-1") +
                 "\r\n\r\n");
    const auto answer = browser.reply();
    EXPECT_EQ(answer.status, 200);
    EXPECT_FALSE(answer.has("transfer-encoding"));
    EXPECT_TRUE(sha256(answer.body) == sha256(pattern(300'000)));
}

TEST_F(Streams, AWebSocketCarriesEveryByteBothWaysUnchanged) {
    auto socket = websocket("/ws?greet");
    EXPECT_EQ(socket.receive_exactly(7), "\x81\x05hello");   // came together with the 101

    const std::vector<std::string> frames{masked_frame(0x81, "text"),
                                          masked_frame(0x01, "frag"),
                                          masked_frame(0x89, "ping between"),
                                          masked_frame(0x00, "ment"),
                                          masked_frame(0x80, "ed"),
                                          masked_frame(0xc2, "\xf2H\xcd\xc9\xc9\x07"),
                                          masked_frame(0x82, pattern(200'000)),
                                          masked_frame(0x8a, ""),
                                          masked_frame(0x88,
                                                       "\x03\xe8"
                                                       "bye")};
    std::string all;
    for (const auto& frame : frames) all += frame;
    for (const auto letter : all.substr(0, 40)) socket.send(std::string_view{&letter, 1});
    socket.send(std::string_view{all}.substr(40));
    EXPECT_TRUE(sha256(socket.receive_exactly(all.size())) == sha256(all));
    EXPECT_TRUE(one.heads().back().find("Upgrade: websocket\r\n") != std::string::npos);
}

TEST_F(Streams, AWebSocketAsksForItsExtensionsAndGetsTheAnswer) {
    auto browser = visitor();
    browser.send(page("/ws?deflate", {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                      origin("w-1"), "Sec-WebSocket-Key: a",
                                      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
                                      "Sec-WebSocket-Protocol: a, b"}) +
                 masked_frame(0x81, "early"));
    const auto answer = browser.head();
    ASSERT_EQ(answer.status, 101);
    EXPECT_EQ(answer.field("sec-websocket-extensions"), "permessage-deflate");
    EXPECT_EQ(browser.receive_exactly(masked_frame(0x81, "early").size()), masked_frame(0x81, "early"));
    const auto head = one.heads().back();
    EXPECT_NE(head.find("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"),
              std::string::npos);
    EXPECT_NE(head.find("Sec-WebSocket-Protocol: a, b\r\n"), std::string::npos);
    EXPECT_NE(head.find("Connection: Upgrade\r\n"), std::string::npos);
}

TEST_F(Streams, EitherSideMayEndAWebSocket) {
    {
        auto socket = websocket();
        socket.finish_sending();
        EXPECT_TRUE(socket.ends_within(patience));
    }
    {
        auto socket = websocket();
        EXPECT_EQ(one.open_connections(), 1u);
    }
    EXPECT_TRUE(eventually([&] { return one.open_connections() == 0; }));
    auto socket = websocket("/ws?end");
    EXPECT_TRUE(socket.ends_within(patience));
}

TEST_F(Streams, ADeniedUpgradeIsAnOrdinaryAnswer) {
    auto browser = visitor();
    const auto answer =
        browser.ask(page("/head", {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                   "Sec-WebSocket-Key: a", origin("w-1")}));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(browser.ask(page("/head")).status, 200);
}

TEST_F(Streams, IdleWebSocketsHoldLittle) {
    const auto before = resident_bytes();
    std::vector<Visitor> sockets;
    constexpr std::size_t many = 200;
    for (std::size_t i = 0; i < many; ++i) sockets.push_back(websocket());
    for (auto& socket : sockets) {
        socket.send(masked_frame(0x82, "some bytes"));
        socket.receive_exactly(masked_frame(0x82, "some bytes").size());
    }
    const auto each = (resident_bytes() - std::min(before, resident_bytes())) / many;
    RecordProperty("bytes_per_idle_websocket", static_cast<int>(each));
    EXPECT_LT(each, 60'000u);
}

}  // namespace
}  // namespace berth::proxy_tests
