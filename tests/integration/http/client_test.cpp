// SPDX-License-Identifier: Apache-2.0
// The HTTP client on real sockets: its bounds, its deadlines, and what it never tells a proxy.
#include "http/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <thread>

#include "tests/support/folder.hpp"
#include "tests/support/listener.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Sets a variable of the environment for one test.
class Variable {
public:
    Variable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
    ~Variable() { ::unsetenv(name_); }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    const char* name_;
};

Listener::Script always(const std::string& answer) {
    return [answer](const std::string&) { return answer; };
}

TEST(HttpClient, gives_status_headers_and_body_and_sends_what_it_was_given) {
    Listener server(always(http_answer(201, "made", "X-Kind:  a b \r\n")));

    const auto answer = http::ask({.method = "POST", .url = server.url() + "/v1/things?n=1", .bearer = "t", .content_type = "text/plain",
                                   .body = "hello", .headers = {"X-Own: yes"}});

    ASSERT_TRUE(answer) << answer.error().text;
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->body, "made");
    EXPECT_EQ(answer->headers.at("x-kind"), "a b");
    const auto asked = server.requests().at(0);
    EXPECT_THAT(asked, HasSubstr("POST /v1/things?n=1 HTTP/1.1\r\n"));
    EXPECT_THAT(asked, HasSubstr("Authorization: Bearer t\r\n"));
    EXPECT_THAT(asked, HasSubstr("X-Own: yes\r\n"));
    EXPECT_THAT(asked, HasSubstr("Content-Length: 5\r\n"));
    EXPECT_THAT(asked, ::testing::Not(HasSubstr("Expect:")));
}

TEST(HttpClient, asks_loopback_and_unix_sockets_directly_whatever_the_proxy_variables_say) {   // field report 3
    Folder folder;
    Listener proxy(always(http_answer(200, "proxy")));
    Listener server(always(http_answer(200, "server")));
    Listener engine(always(http_answer(200, "engine")), folder / "engine.sock");
    const Variable one("http_proxy", proxy.url()), two("all_proxy", proxy.url()), three("ALL_PROXY", proxy.url());
    auto by_name = server.url();
    by_name.replace(by_name.find("127.0.0.1"), 9, "localhost");

    for (const auto& url : {server.url() + "/", by_name + "/"}) {
        const auto direct = http::ask({.url = url, .bearer = "secret"});
        ASSERT_TRUE(direct) << url << ": " << direct.error().text;
        EXPECT_EQ(direct->body, "server");
    }
    const auto socket = http::ask({.url = "http://engine/_ping", .unix_socket = folder / "engine.sock"});
    ASSERT_TRUE(socket) << socket.error().text;
    EXPECT_EQ(socket->body, "engine");
    EXPECT_THAT(proxy.requests(), IsEmpty());

    const auto remote = http::ask({.url = "http://berth.example/list"});
    ASSERT_TRUE(remote) << remote.error().text;
    EXPECT_EQ(remote->body, "proxy");
    EXPECT_THAT(proxy.requests().at(0), HasSubstr("GET http://berth.example/list HTTP/1.1\r\n"));
}

TEST(HttpClient, refuses_an_answer_over_its_bounds) {
    Listener wide(always(http_answer(200, std::string(70'000, 'x'))));
    Listener tall(always(http_answer(200, "", "X-Long: " + std::string(5'000, 'y') + "\r\n")));

    const auto body = http::ask({.url = wide.url(), .body_bytes_max = 64 * 1024});
    const auto header = http::ask({.url = tall.url(), .header_bytes_max = 4'096});

    ASSERT_FALSE(body);
    EXPECT_EQ(body.error().kind, ErrorKind::limit);
    EXPECT_THAT(body.error().text, HasSubstr("over 65536 bytes"));
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().kind, ErrorKind::limit);
}

TEST(HttpClient, says_what_failed_by_its_kind) {
    Folder folder;
    std::atomic<bool> over{false};
    Listener silent([&](const std::string&) {
        while (!over) std::this_thread::yield();
        return std::string{};
    });

    EXPECT_EQ(http::ask({.url = "http://127.0.0.1:1/"}).error().kind, ErrorKind::unavailable);
    EXPECT_EQ(http::ask({.url = "ftp://127.0.0.1/"}).error().kind, ErrorKind::invalid);
    EXPECT_EQ(http::ask({.url = silent.url(), .deadline = Duration{50}}).error().kind, ErrorKind::timeout);
    EXPECT_EQ(http::ask({.method = "POST", .url = silent.url(), .body_file = folder / "absent"}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(http::ask({.url = "https://127.0.0.1/", .ca_file = folder / "absent"}).error().kind, ErrorKind::not_found);
    over = true;
}

TEST(HttpClient, sends_a_file_as_the_body_and_tells_how_far_it_is) {
    Folder folder;
    write_text(folder / "image.tar", std::string(100, 't'));
    Listener server(always(http_answer(200, "")));
    std::uint64_t sent = 0, total = 0;

    http::Client client;
    const auto answer = client.ask({.method = "POST", .url = server.url(), .content_type = "application/x-tar",
                                    .body_file = folder / "image.tar"},
                                   [&](std::uint64_t so_far, std::uint64_t all) { sent = so_far; total = all; });

    ASSERT_TRUE(answer) << answer.error().text;
    EXPECT_EQ(sent, 100U);
    EXPECT_EQ(total, 100U);
    EXPECT_THAT(server.requests().at(0), HasSubstr("POST / HTTP/1.1\r\n"));
    EXPECT_THAT(server.requests().at(0), HasSubstr("Content-Length: 100\r\n"));
}

TEST(HttpClient, follows_a_stream_while_another_exchange_ends_and_forgets_what_was_cancelled) {
    Listener stream(always("HTTP/1.1 200 x\r\nConnection: close\r\n\r\ndata: 1\n\ndata: 2\n\n"));
    Listener server(always(http_answer(200, "answer")));
    std::string bytes;
    std::optional<Result<http::Answer>> end;
    http::Client client;

    client.start({.url = stream.url(), .deadline = Duration{0}}, [&](Result<http::Answer> answer) { end = std::move(answer); },
                 [&](std::string_view part) { bytes += part; });
    const auto cancelled = client.start({.url = server.url()}, [](const Result<http::Answer>&) { FAIL() << "it was cancelled"; });
    client.cancel(cancelled);
    const auto answer = client.ask({.url = server.url()});
    while (!end) client.turn(Duration{50});

    ASSERT_TRUE(answer) << answer.error().text;
    EXPECT_EQ(answer->body, "answer");
    EXPECT_EQ(bytes, "data: 1\n\ndata: 2\n\n");
    ASSERT_TRUE(*end);
    EXPECT_EQ((*end)->body, "");
}

TEST(HttpClient, gives_up_when_it_is_asked_to) {
    std::atomic<bool> over{false};
    Listener silent([&](const std::string&) {
        while (!over) std::this_thread::yield();
        return std::string{};
    });
    int looks = 0;
    http::Client client({.give_up = [&] { return ++looks > 2; }});

    const auto answer = client.ask({.url = silent.url()});

    over = true;
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::timeout);
    EXPECT_THAT(answer.error().text, HasSubstr("interrupted"));
}

}  // namespace
}  // namespace berth::testing
