// SPDX-License-Identifier: Apache-2.0
#include "tls/certificate.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "base/diagnostics.hpp"

namespace berth::tls {

namespace ssl = boost::asio::ssl;

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

Result<Context> load(const CertificateFiles& from) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    boost::system::error_code error;
    context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 | ssl::context::no_tlsv1 |
                         ssl::context::no_tlsv1_1 | SSL_OP_NO_RENEGOTIATION);
    context->use_certificate_chain_file(from.chain, error);
    if (error) return fail(ErrorKind::invalid, "cannot use {}.tls_certificate {}: {}", from.section, from.chain, error.message());
    context->use_private_key_file(from.key, ssl::context::pem, error);
    if (error) return fail(ErrorKind::invalid, "cannot use {}.tls_key {}: {}", from.section, from.key, error.message());
    if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
        return fail(ErrorKind::invalid, "{0}.tls_key {1} is not the key of {0}.tls_certificate {2}", from.section, from.key, from.chain);
    }
    SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_protocol, nullptr);
    return context;
}

}  // namespace

Result<std::optional<Certificate>> Certificate::read(CertificateFiles files, Instant now) {
    if (files.chain.empty() != files.key.empty()) {
        return fail(ErrorKind::invalid, "{0}.tls_certificate and {0}.tls_key are set together or not at all", files.section);
    }
    if (files.chain.empty()) return std::optional<Certificate>{};
    Certificate certificate{std::move(files)};
    certificate.state_ = state_of(certificate.files_.chain) + " " + state_of(certificate.files_.key);
    certificate.context_ = TRY(load(certificate.files_));
    certificate.seen_at_ = now;
    certificate.tell_doubts(now);
    return std::optional<Certificate>{std::move(certificate)};
}

bool Certificate::look(Instant now) {
    if (now - seen_at_ < certificate_period) return false;
    seen_at_ = now;
    bool is_new = false;
    if (auto state = state_of(files_.chain) + " " + state_of(files_.key); state != state_) {
        state_ = std::move(state);
        if (auto read = load(files_)) {
            context_ = std::move(*read);
            is_new = true;
            log_info("certificate.read", {{"file", files_.chain}});
        } else {
            log_warn("certificate.refused", {{"why", read.error().text + "; the earlier one is served on"}});
        }
    }
    if (is_new || now - doubts_told_at_ > doubts_period) tell_doubts(now);
    return is_new;
}

void Certificate::tell_doubts(Instant now) {
    doubts_told_at_ = now;
    for (const auto& doubt : doubts_about(*context_, files_, now, certificate_notice)) {
        log_warn("certificate.doubtful", {{"why", files_.chain + " " + doubt}});
    }
}

std::vector<std::string> doubts_about(const ssl::context& context, const CertificateFiles& files, Instant now, Duration notice) {
    std::vector<std::string> doubts;
    const auto* certificate = SSL_CTX_get0_certificate(const_cast<ssl::context&>(context).native_handle());
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
    auto* whole = const_cast<X509*>(certificate);
    const bool fits = X509_check_host(whole, files.name.data(), files.name.size(), 0, nullptr) == 1 ||
                      X509_check_ip_asc(whole, files.name.c_str(), 0) == 1;
    if (!fits) doubts.push_back("is not for " + (files.served.empty() ? files.name : files.served));
    return doubts;
}

}  // namespace berth::tls
