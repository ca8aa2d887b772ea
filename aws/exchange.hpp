// SPDX-License-Identifier: Apache-2.0
// One signed POST to a service, tried again as retry.hpp says: what all protocols of Amazon's have in common. Of one
// service in one region, and of one thread; a call blocks. A clock that is wrong by more than five minutes is
// corrected by the answer's own date.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aws/fault.hpp"
#include "aws/place.hpp"
#include "aws/retry.hpp"
#include "aws/sign.hpp"
#include "base/clock.hpp"
#include "http/client.hpp"

namespace berth::aws {

/// Who calls. May ask others for keys, and then blocks.
class Identity {
public:
    virtual ~Identity() = default;
    virtual Result<Credentials> credentials() = 0;
    /// Amazon took the last ones for expired or unknown: others, if there are any.
    virtual void refused() = 0;
};

class FixedIdentity final : public Identity {
public:
    explicit FixedIdentity(Credentials who) : who_(std::move(who)) {}
    Result<Credentials> credentials() override { return who_; }
    void refused() override {}

private:
    Credentials who_;
};

struct Setup {
    Service service = ec2;
    std::string region;
    std::string endpoint;                 // a URL, as endpoint_of() gives it
    RetryPolicy retry;
    Duration deadline{20'000};            // of one try
    Duration give_up{0};                  // no other try is begun after so long; 0: as long as `retry` allows
    std::function<void(Duration)> pause;  // between tries; empty: this thread sleeps
};

/// What is posted, and how its answer is read.
struct Posting {
    std::string permission;               // "dynamodb:PutItem", for errors
    std::vector<Header> headers;          // signed; the first is Content-Type
    std::string body;
    std::function<Called<void>(const std::string& body)> take;                        // of an answer that is a 2xx
    std::function<Fault(const std::string& permission, long status, const std::string& body)> fault;
};

class Exchange {
public:
    /// `identity` may be null: calls that need none. Clock and identity outlive it.
    Exchange(const Clock& clock, Identity* identity, Setup setup);

    Called<void> call(const Posting& posting, Repeat repeat);
    /// How far Amazon's clock is ahead of ours, as far as that had to be found out.
    Duration skew() const { return skew_; }
    const Setup& setup() const { return setup_; }

private:
    Called<void> try_once(const Posting& posting);
    bool correct_clock(const http::Answer& answer);

    const Clock& clock_;
    Identity* identity_;
    Setup setup_;
    http::Client http_;
    Retries retries_;
    Duration skew_{0};
    bool clock_corrected_ = false;        // by the last try
};

/// "Sun, 06 Nov 1994 08:49:37 GMT".
std::optional<Instant> from_http_date(const std::string& text);

}  // namespace berth::aws
