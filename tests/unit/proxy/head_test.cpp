// SPDX-License-Identifier: Apache-2.0
// A head that two readers could read in two ways is refused (request smuggling).
#include "proxy/head.hpp"

#include <gtest/gtest.h>

#include <string>

namespace berth::proxy {
namespace {

constexpr std::size_t fields_max = 100;
const std::string line = "GET / HTTP/1.1\r\n";
const std::string host = "Host: w-1.localhost\r\n";

bool refused(const std::string& head) { return fault_of_head(head, fields_max).has_value(); }

TEST(Head, OrdinaryRequestsPass) {
    for (const std::string& head : {
             line + host + "\r\n",
             "POST /a?b=%2e%2e//c HTTP/1.1\r\n" + host + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
             "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n",
             "PROPFIND /dav HTTP/1.1\r\n" + host + "X-Empty:\r\nX-Tab:\ta\tb\r\n\r\n",
             std::string{"GET / HTTP/1.0\r\n\r\n"},
             "GET http://w-1.localhost/ HTTP/1.1\r\n" + host + "\r\n",
             line + host + "X-Name: \xc3\xa9t\xc3\xa9\r\n\r\n",
             line + host + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
         }) {
        SCOPED_TRACE(head);
        EXPECT_EQ(fault_of_head(head, fields_max), std::nullopt);
    }
}

TEST(Head, WhatTwoReadersReadInTwoWaysIsRefused) {
    struct Row {
        const char* name;
        std::string head;
    };
    const std::string post = "POST / HTTP/1.1\r\n" + host;
    const std::vector<Row> rows{
        {"CL and TE", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"TE and CL", post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"},
        {"CL twice, alike", post + "Content-Length: 4\r\nContent-Length: 4\r\n\r\n"},
        {"CL twice, apart", post + "Content-Length: 4\r\nContent-Length: 5\r\n\r\n"},
        {"CL as a list", post + "Content-Length: 4, 4\r\n\r\n"},
        {"CL signed", post + "Content-Length: +4\r\n\r\n"},
        {"CL negative", post + "Content-Length: -4\r\n\r\n"},
        {"CL hex", post + "Content-Length: 0x4\r\n\r\n"},
        {"CL empty", post + "Content-Length:\r\n\r\n"},
        {"CL too long", post + "Content-Length: 99999999999999999999\r\n\r\n"},
        {"CL with a blank before the colon", post + "Content-Length : 4\r\n\r\n"},
        {"CL with an underscore", post + "Content_Length: 4\r\n\r\n"},
        {"TE with an underscore", post + "Transfer_Encoding: chunked\r\n\r\n"},
        {"TE twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"TE list", post + "Transfer-Encoding: gzip, chunked\r\n\r\n"},
        {"TE identity", post + "Transfer-Encoding: identity\r\n\r\n"},
        {"TE xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n"},
        {"TE quoted", post + "Transfer-Encoding: \"chunked\"\r\n\r\n"},
        {"TE with vertical tab", post + "Transfer-Encoding: \vchunked\r\n\r\n"},
        {"TE with parameters", post + "Transfer-Encoding: chunked;a=b\r\n\r\n"},
        {"TE in HTTP/1.0", "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n"},
        {"folded field", line + host + "X-A: b\r\n c\r\n\r\n"},
        {"folded by tab", line + host + "X-A: b\r\n\tc\r\n\r\n"},
        {"first field is folded", line + " X-A: b\r\n" + host + "\r\n"},
        {"Host twice", line + host + host + "\r\n"},
        {"Host missing", line + "\r\n"},
        {"Host with a list", line + "Host: a.localhost, b.localhost\r\n\r\n"},
        {"Host with a user", line + "Host: a@w-1.localhost\r\n\r\n"},
        {"Host with a path", line + "Host: w-1.localhost/a\r\n\r\n"},
        {"Host underscore", line + host + "H_ost: a\r\nHos_t: b\r\nHost : c\r\n\r\n"},
        {"bare LF", "GET / HTTP/1.1\nHost: w-1.localhost\r\n\r\n"},
        {"bare LF in a value", line + host + "X-A: b\nX-C: d\r\n\r\n"},
        {"bare CR in a value", line + host + "X-A: b\rX-C: d\r\n\r\n"},
        {"NUL in a value", line + host + std::string{"X-A: b\0c\r\n\r\n", 12}},
        {"DEL in a value", line + host + "X-A: b\x7f\r\n\r\n"},
        {"empty name", line + host + ": b\r\n\r\n"},
        {"no colon", line + host + "X-A\r\n\r\n"},
        {"blank in a name", line + host + "X A: b\r\n\r\n"},
        {"two blanks in the line", "GET  / HTTP/1.1\r\n" + host + "\r\n"},
        {"tab in the line", "GET\t/ HTTP/1.1\r\n" + host + "\r\n"},
        {"blank in the target", "GET /a b HTTP/1.1\r\n" + host + "\r\n"},
        {"control byte in the target", "GET /a\x01 HTTP/1.1\r\n" + host + "\r\n"},
        {"high byte in the target", "GET /\xc3\xa9 HTTP/1.1\r\n" + host + "\r\n"},
        {"fragment", "GET /a#b HTTP/1.1\r\n" + host + "\r\n"},
        {"HTTP/0.9", "GET /\r\n\r\n"},
        {"HTTP/2.0", "GET / HTTP/2.0\r\n" + host + "\r\n"},
        {"HTTP/1.11", "GET / HTTP/1.11\r\n" + host + "\r\n"},
        {"lower-case version", "GET / http/1.1\r\n" + host + "\r\n"},
        {"PRI of HTTP/2", "PRI * HTTP/2.0\r\n\r\n"},
        {"method with a colon", "GE:T / HTTP/1.1\r\n" + host + "\r\n"},
        {"long method", std::string(40, 'G') + " / HTTP/1.1\r\n" + host + "\r\n"},
        {"long target", "GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\n" + host + "\r\n"},
        {"line before the request", "\r\n" + line + host + "\r\n"},
        {"Connection names Content-Length", post + "Connection: content-length\r\nContent-Length: 4\r\n\r\n"},
        {"Connection names Host", line + host + "Connection: close, Host\r\n\r\n"},
        {"Upgrade twice", line + host + "Upgrade: websocket\r\nUpgrade: h2c\r\n\r\n"},
        {"another expectation", line + host + "Expect: 200-ok\r\n\r\n"},
        {"no end", line + host},
        {"nothing", "\r\n\r\n"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_TRUE(refused(row.head));
    }
}

TEST(Head, FieldsAreCounted) {
    std::string fields;
    for (int i = 0; i < 99; ++i) fields += "X-" + std::to_string(i) + ": a\r\n";

    EXPECT_FALSE(refused(line + host + fields + "\r\n"));
    EXPECT_TRUE(refused(line + host + fields + "X-One-More: a\r\n\r\n"));
}

TEST(Head, FaultsNeverRepeatTheRequest) {
    const auto fault = fault_of_head(line + host + "X-canary: c4n4ry\x01\r\n\r\n", fields_max);

    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->find("c4n4ry"), std::string_view::npos);
    EXPECT_EQ(fault->find("canary"), std::string_view::npos);
}

TEST(Head, ABeginningTellsWhatItCan) {
    const auto seen = glimpse_of("POST /a?b HTTP/1.1\r\nhost: w-1.localhost\r\nX: y\r\nCookie:  a=1; b=2; c=hal");
    EXPECT_EQ(seen.method, "POST");
    EXPECT_EQ(seen.path, "/a?b");
    EXPECT_EQ(seen.host, "w-1.localhost");
    EXPECT_EQ(seen.cookies, "a=1; b=2");
    EXPECT_EQ(glimpse_of("GET http://a/b HTTP/1.1\r\nCookie: a=1\r\nX: ").path, "");
    EXPECT_EQ(glimpse_of("GET / HTTP/1.1\r\nCookie: a=1\r\nX: ").cookies, "a=1");
    EXPECT_EQ(glimpse_of("GET / HTTP/1.1\r\nCookie: a=\x01; b=2\r\nX").cookies, "");
    EXPECT_EQ(glimpse_of("").method, "");
    EXPECT_EQ(glimpse_of(std::string(70'000, 'a')).method, "");
}

}  // namespace
}  // namespace berth::proxy
