// SPDX-License-Identifier: Apache-2.0
// The certificate that a server of ours shows, from files that are written anew now and then.
#pragma once

#include <utility>  // before asio: 1.74 uses std::exchange without it

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace berth::tls {

using Context = std::shared_ptr<boost::asio::ssl::context>;

inline constexpr Duration certificate_period{5'000};       // between two looks at its files
inline constexpr Duration certificate_notice{604'800'000};  // before its end
inline constexpr Duration doubts_period{86'400'000};       // what its reader should hear is said again

/// Whose certificate it is, in the words of the settings.
struct CertificateFiles {
    std::string section;                  // of the settings tls_certificate and tls_key: "proxy"
    std::string chain;                    // PEM, the server's own first
    std::string key;                      // PEM
    std::string name;                     // one that it has to be for
    std::string served;                   // that name as its reader knows it; empty: the same
};

class Certificate {
public:
    /// None when neither file is set: plain TCP. `invalid` names the setting and file, also when the two do not belong together.
    static Result<std::optional<Certificate>> read(CertificateFiles files, Instant now);

    const Context& context() const { return context_; }
    /// Looks at the files when it is time to; whether context() is another one now. Files that can not be used are said
    /// once, and the earlier certificate is served on. Doubts (doubts_about) are logged at each reading, and daily.
    bool look(Instant now);

private:
    explicit Certificate(CertificateFiles files) : files_(std::move(files)) {}
    void tell_doubts(Instant now);

    CertificateFiles files_;
    Context context_;
    std::string state_;                   // of both files; another one when either was written anew
    Instant seen_at_;
    Instant doubts_told_at_;
};

/// What its reader should hear in time: that it has ended, ends within `notice`, is not valid yet, or is for other names.
std::vector<std::string> doubts_about(const boost::asio::ssl::context& context, const CertificateFiles& files, Instant now, Duration notice);

}  // namespace berth::tls
