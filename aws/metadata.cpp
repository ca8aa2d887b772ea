// SPDX-License-Identifier: Apache-2.0
#include "aws/metadata.hpp"

#include "base/outside_text.hpp"
#include "http/client.hpp"

namespace berth::aws {

namespace {

constexpr std::size_t answer_bytes_max = 64 * 1024;
constexpr std::chrono::seconds renew_early{300};

}  // namespace

Result<MetadataSetup> metadata_setup(const Environment& environment) {
    if (environment("AWS_EC2_METADATA_DISABLED") == "true") return fail(ErrorKind::not_found, "AWS_EC2_METADATA_DISABLED is true");
    MetadataSetup setup;
    if (environment("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE") == "IPv6") setup.endpoint = "http://[fd00:ec2::254]";
    if (auto endpoint = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT"); !endpoint.empty()) setup.endpoint = std::move(endpoint);
    while (setup.endpoint.ends_with('/')) setup.endpoint.pop_back();
    return setup;
}

Result<std::string> Metadata::token() {
    if (token_ && token_->renew_at > clock_.now()) return token_->value;
    token_.reset();
    const auto answer = TRY(http::ask({.method = "PUT",
                                       .url = setup_.endpoint + "/latest/api/token",
                                       .headers = {fmt::format("X-aws-ec2-metadata-token-ttl-seconds: {}", setup_.token_lasts.count())},
                                       .deadline = setup_.deadline,
                                       .connect_deadline = setup_.deadline,
                                       .body_bytes_max = answer_bytes_max}));
    if (answer.status != 200) {
        return fail(ErrorKind::unavailable, "the metadata service gives no session token: HTTP {}{}", answer.status,
                    answer.status == 403 ? "; it is turned off for this instance" : "");
    }
    token_ = Token{TRY(outside_word("the metadata service's token", answer.body)), clock_.now() + setup_.token_lasts - renew_early};
    return token_->value;
}

Result<std::string> Metadata::get(const std::string& path) {
    long status = 0;
    for (std::uint32_t tries = 0; tries < setup_.tries_max; ++tries) {
        const auto session = TRY(token());
        auto answer = TRY(http::ask({.url = setup_.endpoint + "/latest/" + path,
                                     .headers = {"X-aws-ec2-metadata-token: " + session},
                                     .deadline = setup_.deadline,
                                     .connect_deadline = setup_.deadline,
                                     .body_bytes_max = answer_bytes_max}));
        status = answer.status;
        if (status == 200) return std::move(answer.body);
        if (status == 404) return fail(ErrorKind::not_found, "the metadata service has no {}", path);
        if (status == 401) token_.reset();      // it forgot us: a new session
        else if (status < 500) break;
    }
    return fail(ErrorKind::unavailable, "the metadata service answers {} with HTTP {}", path, status);
}

}  // namespace berth::aws
