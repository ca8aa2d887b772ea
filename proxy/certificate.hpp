// SPDX-License-Identifier: Apache-2.0
// The certificate that browsers are shown, from files that are written anew now and then.
#pragma once

#include "proxy/net.hpp"

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace berth::proxy {

using TlsContext = std::shared_ptr<net::ssl::context>;

class Certificate {
public:
    /// Paths of PEM files: the chain, and its key.
    Certificate(std::string chain, std::string key) : chain_(std::move(chain)), key_(std::move(key)) {}

    /// `invalid` names the file, also when the two do not belong together.
    Result<TlsContext> load() const;
    /// Differs when either file is another one, or written anew; the same while nothing has changed.
    std::string state() const;

private:
    std::string chain_;
    std::string key_;
};

/// What its reader should hear in time: that it has ended, ends within `notice`, or is for other names.
std::vector<std::string> doubts_about(const net::ssl::context& context, const std::string& name, Instant now, Duration notice);

}  // namespace berth::proxy
