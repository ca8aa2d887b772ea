// SPDX-License-Identifier: Apache-2.0
// The gateway with a certificate of its own: who comes from elsewhere speaks TLS, its own machine needs none.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "tests/integration/gateway/command_line.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;

std::uint16_t free_port() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof at;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&at), size) != 0) throw std::runtime_error("no port is free");
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
    ::close(listener);
    return ntohs(at.sin_port);
}

struct Secured {
    Folder folder;
    std::uint16_t outer = free_port();
    std::string chain = folder / "cert.pem", key = folder / "key.pem";

    /// Both files at once are another certificate than before.
    void certify(const std::string& name) const {
        const auto made = fmt::format("openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN={0} -addext subjectAltName=IP:127.0.0.1 "
                                      "-keyout {1}.new -out {2}.new 2>/dev/null && mv {1}.new {1} && mv {2}.new {2}", name, key, chain);
        if (std::system(made.c_str()) != 0) throw std::runtime_error("openssl made no certificate");
    }
    std::string url() const { return fmt::format("https://127.0.0.1:{}", outer); }
    std::string settings() const {
        certify("one");
        return fmt::format("port = {}\npublic_url = \"{}\"\ntls_certificate = \"{}\"\ntls_key = \"{}\"\n", outer, url(), chain, key);
    }
};

class Tls : protected Secured, public CommandLine {
protected:
    Tls() : CommandLine(settings()) {}
    Said list(const std::string& set, const std::string& flag) { return shell("export BERTH_URL=" + url() + " " + set + "; $BERTH " + flag + " list"); }
};

TEST_F(Tls, a_private_ca_may_vouch_for_the_gateway_36) {
    const auto refused = list("", "");
    EXPECT_EQ(refused.exit, 4) << refused.text;
    EXPECT_THAT(refused.text, HasSubstr("--ca-file FILE, BERTH_CA_FILE or SSL_CERT_FILE"));
    EXPECT_EQ(list("", "--ca-file " + chain).exit, 0);
    EXPECT_EQ(list("BERTH_CA_FILE=" + chain, "").exit, 0);
    EXPECT_EQ(list("SSL_CERT_FILE=" + chain, "").exit, 0);
    const auto missing = list("BERTH_CA_FILE=/nonexistent", "");
    EXPECT_EQ(missing.exit, 5);
    EXPECT_THAT(missing.text, HasSubstr("BERTH_CA_FILE"));
}

TEST_F(Tls, others_speak_tls_and_its_own_machine_needs_no_certificate) {
    EXPECT_THAT(read_text(cluster.state() + "/gateway.url"), HasSubstr("http://127.0.0.1:"));
    EXPECT_NE(port(), outer);
    EXPECT_EQ(get("/v1/status").status, 200) << "by gateway.url";
    EXPECT_EQ(berth({"list"}).exit, 0);
    EXPECT_THAT(shell(fmt::format("curl -s http://127.0.0.1:{}/v1/status", outer)).text, HasSubstr("this address speaks https alone: " + url()));
    const auto before = port();
    restart_gateway();
    EXPECT_EQ(port(), before) << "also its own machine finds it where it was";
}

TEST_F(Tls, streams_and_answers_are_whole) {
    ASSERT_EQ(claim("ada", "web", "k-1").status, 201);
    const auto curl = "curl -sS --max-time 3 --cacert " + chain + " -H 'Authorization: Bearer " + token() + "' ";
    const auto stream = shell(curl + "'" + url() + "/v1/events?from=0'");
    EXPECT_EQ(stream.exit, 28) << "it runs until curl has enough: " << stream.text;
    EXPECT_THAT(stream.text, HasSubstr("claim.granted"));
    const auto last = shell(curl + "-H 'Connection: close' " + url() + "/v1/status");
    EXPECT_EQ(last.exit, 0) << "the end of a connection is said, so that nothing looks cut: " << last.text;
    EXPECT_THAT(last.text, HasSubstr("workspaces"));
    EXPECT_NE(shell(fmt::format("curl -sS --tls-max 1.1 --cacert {} {}/health", chain, url())).exit, 0) << "old versions are refused";
}

TEST_F(Tls, a_certificate_that_was_renewed_is_shown_without_a_restart_and_a_broken_one_is_not) {
    certify("two");
    EXPECT_TRUE(eventually([&] { return list("", "--ca-file " + chain).exit == 0; }, Duration{20'000}));
    const auto kept = folder / "kept.pem";
    std::filesystem::copy_file(chain, kept);
    write_text(chain, "no certificate");
    EXPECT_TRUE(eventually([&] {
        EXPECT_EQ(list("", "--ca-file " + kept).exit, 0);
        return cluster.log_of("gateway").find("the earlier one is served on") != std::string::npos;
    }, Duration{20'000}));
    cluster.process("gateway").kill();
    const auto gateway = fmt::format("{}/berth-gateway --state {} --config ", BERTH_BIN_DIR, cluster.state());
    const auto refused = shell(gateway + cluster.config());
    EXPECT_NE(refused.exit, 0);
    EXPECT_THAT(refused.text, HasSubstr("cannot use gateway.tls_certificate " + chain));
    const auto nameless = folder / "nameless.toml";
    write_text(nameless, fmt::format("[gateway]\nport = 0\ntls_certificate = \"{}\"\ntls_key = \"{}\"\n", kept, key));
    EXPECT_THAT(shell(gateway + nameless).text, HasSubstr("gateway.tls_certificate needs gateway.public_url"));
}

}  // namespace
}  // namespace berth::testing
