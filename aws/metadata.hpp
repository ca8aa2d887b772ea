// SPDX-License-Identifier: Apache-2.0
// The instance metadata service, version 2: every question with a session's token, version 1 never.
#pragma once

#include <optional>
#include <string>

#include "aws/place.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

namespace berth::aws {

struct MetadataSetup {
    std::string endpoint = "http://169.254.169.254";
    Duration deadline{1'000};             // of one try; who is not on EC2 waits so long
    std::uint32_t tries_max = 3;          // of one question, when it is there and answers with 5xx
    std::chrono::seconds token_lasts{21'600};
};

/// AWS_EC2_METADATA_SERVICE_ENDPOINT and …_ENDPOINT_MODE; `not_found` when AWS_EC2_METADATA_DISABLED says so.
Result<MetadataSetup> metadata_setup(const Environment& environment);

/// For one thread.
class Metadata {
public:
    Metadata(const Clock& clock, MetadataSetup setup) : clock_(clock), setup_(std::move(setup)) {}

    /// "meta-data/instance-id". `not_found`: there is no such thing, as with spot/instance-action mostly;
    /// `unavailable` and `timeout`: no service here.
    Result<std::string> get(const std::string& path);

private:
    struct Token {
        std::string value;
        Instant renew_at;
    };
    Result<std::string> token();

    const Clock& clock_;
    MetadataSetup setup_;
    std::optional<Token> token_;
};

}  // namespace berth::aws
