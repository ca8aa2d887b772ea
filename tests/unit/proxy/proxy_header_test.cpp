// SPDX-License-Identifier: Apache-2.0
#include "proxy/proxy_header.hpp"

#include <gtest/gtest.h>

namespace berth::proxy {
namespace {

const std::string signature{"\r\n\r\n\0\r\nQUIT\n", 12};

std::string fixed(char version_and_command, char family, std::size_t rest) {
    return signature + version_and_command + family + static_cast<char>(rest >> 8) + static_cast<char>(rest & 0xff);
}

TEST(ProxyHeader, ItsVersionIsToldByTheFirstBytes) {
    EXPECT_EQ(proxy_version(signature), ProxyVersion::binary);
    EXPECT_EQ(proxy_version("PROXY TCP4 1"), ProxyVersion::line);
    EXPECT_EQ(proxy_version("GET / HTTP/1"), ProxyVersion::none);
    EXPECT_EQ(proxy_version("proxy tcp4 1"), ProxyVersion::none);
    EXPECT_EQ(proxy_version(""), ProxyVersion::none);
}

TEST(ProxyHeader, ALineNamesTheBrowser) {
    EXPECT_EQ(browser_in_line("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443"), "192.0.2.7");
    EXPECT_EQ(browser_in_line("PROXY TCP6 2001:db8::7 2001:db8::1 56324 443"), "2001:db8::7");
    EXPECT_EQ(browser_in_line("PROXY UNKNOWN"), "unknown");
    EXPECT_EQ(browser_in_line("PROXY UNKNOWN ffff::1 ffff::2 1 2"), "unknown");
    for (const auto* line : {"", "PROXY", "PROXY TCP4", "PROXY TCP4 192.0.2.7 198.51.100.1 56324",
                             "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 9", "PROXY TCP4 2001:db8::7 198.51.100.1 1 2",
                             "PROXY TCP6 192.0.2.7 198.51.100.1 1 2", "PROXY TCP4 192.0.2.7 198.51.100.1 65536 443",
                             "PROXY TCP4 192.0.2.7 198.51.100.1 -1 443", "PROXY TCP4  192.0.2.7 198.51.100.1 1 443",
                             "PROXY UDP4 192.0.2.7 198.51.100.1 1 443", "GET / HTTP/1.1"}) {
        EXPECT_EQ(browser_in_line(line), std::nullopt) << line;
    }
}

TEST(ProxyHeader, ABinaryOneNamesTheBrowser) {
    const std::string v4 = std::string{"\xc0\x00\x02\x07\xc6\x33\x64\x01", 8} + std::string{"\xdc\x04\x01\xbb", 4};
    EXPECT_EQ(browser_in_binary(fixed('\x21', '\x11', 12), v4), "192.0.2.7");
    EXPECT_EQ(browser_in_binary(fixed('\x21', '\x11', 15), v4 + "tlv"), "192.0.2.7");
    EXPECT_EQ(browser_in_binary(fixed('\x20', '\x00', 0), ""), "unknown");
    const std::string v6 = std::string{"\x20\x01\x0d\xb8", 4} + std::string(11, '\0') + "\x07" + std::string(20, '\0');
    EXPECT_EQ(browser_in_binary(fixed('\x21', '\x21', 36), v6), "2001:db8::7");

    EXPECT_EQ(browser_in_binary(fixed('\x21', '\x11', 4), "\xc0\x01\x02\x07"), std::nullopt);
    EXPECT_EQ(browser_in_binary(fixed('\x21', '\x11', 12), v4 + "x"), std::nullopt);
    EXPECT_EQ(proxy_header_rest(fixed('\x31', '\x11', 12)), std::nullopt);   // another version
    EXPECT_EQ(proxy_header_rest(fixed('\x22', '\x11', 12)), std::nullopt);   // another command
    EXPECT_EQ(proxy_header_rest(signature), std::nullopt);
    EXPECT_EQ(proxy_header_rest(fixed('\x21', '\x11', 65'535)), 65'535u);
}

}  // namespace
}  // namespace berth::proxy
