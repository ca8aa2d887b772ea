// SPDX-License-Identifier: Apache-2.0
// Where a service of Amazon's is: region, partition, endpoint.
#pragma once

#include <functional>
#include <string>

#include "base/result.hpp"

namespace berth::aws {

/// The value of an environment variable, trimmed; empty when it is not set.
using Environment = std::function<std::string(const char* name)>;
/// This process's own.
Environment own_environment();

struct Service {
    const char* name;                     // of its endpoint and in its signatures
    const char* version;                  // of its API
    const char* variable;                 // AWS_ENDPOINT_URL_<variable>
};
inline constexpr Service autoscaling{"autoscaling", "2011-01-01", "AUTO_SCALING"};
inline constexpr Service ec2{"ec2", "2016-11-15", "EC2"};
inline constexpr Service sts{"sts", "2011-06-15", "STS"};

/// The domain that a region's services are in: "amazonaws.com", "amazonaws.com.cn", …
std::string domain_of(const std::string& region);
/// "aws", "aws-cn", "aws-us-gov", …: the second part of its ARNs.
std::string partition_of(const std::string& region);

/// A region's name, not a zone's ("us-east-1a") or a word.
Result<void> check_region(const std::string& region);

/// AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL (neither when AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true), or the
/// region's own. An error when that is no http or https URL.
Result<std::string> endpoint_of(const Service& service, const std::string& region, const Environment& environment);

/// "host" or "host:port" of a URL, as it is sent in the Host header; the port only when it is not the scheme's own.
std::string host_of_url(const std::string& url);
/// What follows it, without the query; "/" when nothing does.
std::string path_of_url(const std::string& url);

}  // namespace berth::aws
