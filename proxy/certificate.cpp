// SPDX-License-Identifier: Apache-2.0
#include "proxy/certificate.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

namespace berth::proxy {

namespace {

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
    static constexpr unsigned char ours_only[] = "\x08http/1.1";
    unsigned char* found = nullptr;
    if (SSL_select_next_proto(&found, size, ours_only, sizeof ours_only - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

std::string state_of(const std::string& path) {
    struct stat told {};
    if (::stat(path.c_str(), &told) != 0) return "none";
    return fmt::format("{}/{}/{}/{}.{}", told.st_dev, told.st_ino, told.st_size, told.st_mtim.tv_sec, told.st_mtim.tv_nsec);
}

}  // namespace

Result<TlsContext> Certificate::load() const {
    auto context = std::make_shared<net::ssl::context>(net::ssl::context::tls_server);
    ErrorCode error;
    context->set_options(net::ssl::context::default_workarounds | net::ssl::context::no_sslv2 |
                         net::ssl::context::no_sslv3 | net::ssl::context::no_tlsv1 | net::ssl::context::no_tlsv1_1 |
                         SSL_OP_NO_RENEGOTIATION);
    context->use_certificate_chain_file(chain_, error);
    if (error) {
        return fail(ErrorKind::invalid, "cannot use proxy.tls_certificate {}: {}", chain_, error.message());
    }
    context->use_private_key_file(key_, net::ssl::context::pem, error);
    if (error) return fail(ErrorKind::invalid, "cannot use proxy.tls_key {}: {}", key_, error.message());
    if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
        return fail(ErrorKind::invalid, "proxy.tls_key {} is not the key of proxy.tls_certificate {}", key_, chain_);
    }
    SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_protocol, nullptr);
    return context;
}

std::string Certificate::state() const { return state_of(chain_) + " " + state_of(key_); }

std::vector<std::string> doubts_about(const net::ssl::context& context, const std::string& name, Instant now, Duration notice) {
    std::vector<std::string> doubts;
    const auto* certificate = SSL_CTX_get0_certificate(const_cast<net::ssl::context&>(context).native_handle());
    if (certificate == nullptr) return {"holds no certificate"};
    const auto seconds = [](Instant at) { return static_cast<std::time_t>(at.time_since_epoch().count() / 1000); };
    auto at = seconds(now);
    auto soon = seconds(now + notice);
    if (X509_cmp_time(X509_get0_notAfter(certificate), &at) < 0) {
        doubts.emplace_back("has ended: browsers refuse it; renew it");
    } else if (X509_cmp_time(X509_get0_notAfter(certificate), &soon) < 0) {
        doubts.push_back(fmt::format("ends within {}; renew it", to_text(notice)));
    }
    if (X509_cmp_time(X509_get0_notBefore(certificate), &at) > 0) doubts.emplace_back("is not valid yet; look at the clock");
    if (X509_check_host(const_cast<X509*>(certificate), name.data(), name.size(), 0, nullptr) != 1) {
        doubts.push_back(fmt::format("is not for *{}, where workspaces answer", name.substr(name.find('.'))));
    }
    return doubts;
}

}  // namespace berth::proxy
