// SPDX-License-Identifier: Apache-2.0
// The same proxy behind a certificate of its own.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <filesystem>
#include <memory>
#include <stdexcept>

#include "tests/integration/proxy/world.hpp"

namespace berth::proxy_tests {
namespace {

template <auto release>
struct Release {
    void operator()(auto* what) const { release(what); }
};
template <class T, auto release>
using Owned = std::unique_ptr<T, Release<release>>;

void write_certificate(const std::string& certificate_path, const std::string& key_path) {
    const Owned<EVP_PKEY, EVP_PKEY_free> key{EVP_EC_gen("P-256")};
    const Owned<X509, X509_free> certificate{X509_new()};
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3'600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    std::FILE* file = std::fopen(certificate_path.c_str(), "w");
    PEM_write_X509(file, certificate.get());
    std::fclose(file);
    file = std::fopen(key_path.c_str(), "w");
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
}

/// A browser behind TLS; it trusts anybody.
class TlsVisitor {
public:
    TlsVisitor(std::uint16_t port, int version_max) : tcp_(port), context_(SSL_CTX_new(TLS_client_method())) {
        SSL_CTX_set_max_proto_version(context_.get(), version_max);
        constexpr unsigned char wanted[] = "\x02h2\x08http/1.1";
        SSL_CTX_set_alpn_protos(context_.get(), wanted, sizeof wanted - 1);
        ssl_.reset(SSL_new(context_.get()));
        SSL_set_fd(ssl_.get(), tcp_.descriptor());
        greeted_ = SSL_connect(ssl_.get()) == 1;
    }
    bool greeted() const { return greeted_; }
    std::string protocol() const {
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(ssl_.get(), &name, &size);
        return {reinterpret_cast<const char*>(name), size};
    }
    /// Of the key that the other side has shown.
    std::string shown() const {
        const Owned<X509, X509_free> certificate{SSL_get1_peer_certificate(ssl_.get())};
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        X509_pubkey_digest(certificate.get(), EVP_sha256(), digest, &size);
        return {reinterpret_cast<const char*>(digest), size};
    }
    void send(const std::string& bytes) {
        if (SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0) {
            throw std::runtime_error("not sent");
        }
    }
    /// Until `end` stands in what came, or the stream ends.
    std::string receive_until(const std::string& end) {
        std::string all;
        std::string bytes(65'536, '\0');
        while (end.empty() || all.find(end) == std::string::npos) {
            const int got = SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
            if (got <= 0) break;
            all.append(bytes, 0, static_cast<std::size_t>(got));
        }
        return all;
    }

private:
    Visitor tcp_;
    Owned<SSL_CTX, SSL_CTX_free> context_;
    Owned<SSL, SSL_free> ssl_;
    bool greeted_ = false;
};

class Tls : public ProxyTest {
protected:
    std::string cookie(const std::string& workspace) const {
        return "__Host-berth=" + token(claims(TokenPurpose::session, workspace));
    }
    void start_tls(const std::string& more = "") {
        write_certificate(dir + "/certificate.pem", dir + "/key.pem");
        start("tls_certificate = \"" + dir + "/certificate.pem\"\ntls_key = \"" + dir + "/key.pem\"\n" + more);
        give_routes();
    }
};

TEST_F(Tls, PagesDownloadsAndWebSocketsPass) {
    start_tls();
    TlsVisitor browser(port_, TLS1_3_VERSION);
    ASSERT_TRUE(browser.greeted());
    EXPECT_EQ(browser.protocol(), "http/1.1");

    browser.send(get(host("w-1"), "/head", cookie("w-1")));
    EXPECT_NE(browser.receive_until("X-Forwarded-Proto: https\r\n").find("200 OK"), std::string::npos);
    browser.send(get(host("w-1"), "/head", ""));
    EXPECT_NE(browser.receive_until("</html>").find("HTTP/1.1 401 "), std::string::npos);

    TlsVisitor downloading(port_, TLS1_2_VERSION);
    downloading.send(get(host("w-1"), "/download?3000000", cookie("w-1"), {"Connection: close"}));
    const auto all = downloading.receive_until("");
    EXPECT_TRUE(sha256(all.substr(all.find("\r\n\r\n") + 4)) == sha256(pattern(3'000'000)));

    const auto upgrade = [&](const std::string& from) {
        return get(host("w-1"), "/ws", cookie("w-1"),
                   {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: a", "Origin: " + from + "://" + host("w-1")});
    };
    TlsVisitor foreign(port_, TLS1_3_VERSION);
    foreign.send(upgrade("http"));
    EXPECT_NE(foreign.receive_until("</html>").find("HTTP/1.1 403 "), std::string::npos);
    TlsVisitor socket(port_, TLS1_3_VERSION);
    socket.send(upgrade("https"));
    EXPECT_NE(socket.receive_until("\r\n\r\n").find("HTTP/1.1 101 "), std::string::npos);
    const auto frame = masked_frame(0x82, pattern(100'000));
    socket.send(frame);
    EXPECT_EQ(socket.receive_until(frame.substr(frame.size() - 8)).size(), frame.size());

    ASSERT_TRUE(kv().apply({DropRoute{{"w-1"}}}));
    EXPECT_EQ(socket.receive_until(""), "");   // cut
}

TEST_F(Tls, FilesThatChangeAreReadAgainAndWhatIsOpenGoesOn) {
    start_tls();
    TlsVisitor before(port_, TLS1_3_VERSION);
    ASSERT_TRUE(before.greeted());
    EXPECT_NE(log().find("is not for *.localhost"), std::string::npos) << log();

    std::filesystem::copy(dir + "/key.pem", dir + "/old-key.pem");
    write_certificate(dir + "/certificate.pem", dir + "/next-key.pem");   // its key comes later, or not at all
    EXPECT_TRUE(eventually([&] { return log().find("certificate.refused") != std::string::npos; }));
    EXPECT_NE(log().find("the earlier one is served on"), std::string::npos);
    EXPECT_EQ(TlsVisitor(port_, TLS1_3_VERSION).shown(), before.shown());

    std::filesystem::rename(dir + "/next-key.pem", dir + "/key.pem");
    EXPECT_TRUE(eventually([&] { return TlsVisitor(port_, TLS1_3_VERSION).shown() != before.shown(); }));
    before.send(get(host("w-1"), "/head", cookie("w-1")));
    EXPECT_NE(before.receive_until("X-Forwarded-Proto: https\r\n").find("200 OK"), std::string::npos);
}

TEST_F(Tls, WhoDoesNotSpeakItIsTurnedAway) {
    start_tls("head_timeout = \"1s\"");
    EXPECT_FALSE(TlsVisitor(port_, TLS1_1_VERSION).greeted());
    auto plain = visitor();
    plain.send(get(host("w-1"), "/head", cookie("w-1")));
    EXPECT_TRUE(plain.ends_within(Duration{5'000}));
    auto silent = visitor();
    EXPECT_TRUE(silent.ends_within(Duration{5'000}));   // head_timeout holds for the handshake too
    EXPECT_EQ(one.heads().size(), 0u);
}

}  // namespace
}  // namespace berth::proxy_tests
