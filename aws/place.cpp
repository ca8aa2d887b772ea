// SPDX-License-Identifier: Apache-2.0
#include "aws/place.hpp"

#include <algorithm>
#include <cctype>

#include "base/outside_text.hpp"

namespace berth::aws {

namespace {

struct Partition {
    const char* prefix;                   // of its regions' names
    const char* name;
    const char* domain;
};
constexpr Partition partitions[] = {
    {"cn-", "aws-cn", "amazonaws.com.cn"},  {"us-gov-", "aws-us-gov", "amazonaws.com"}, {"us-iso-", "aws-iso", "c2s.ic.gov"},
    {"us-isob-", "aws-iso-b", "sc2s.sgov.gov"}, {"eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"}, {"us-isof-", "aws-iso-f", "csp.hci.ic.gov"},
    {"eusc-", "aws-eusc", "amazonaws.eu"},  {"", "aws", "amazonaws.com"},
};

const Partition& find_partition(const std::string& region) {
    return *std::find_if(std::begin(partitions), std::end(partitions), [&](const auto& one) { return region.starts_with(one.prefix); });
}

}  // namespace

Environment own_environment() { return environment_text; }

std::string domain_of(const std::string& region) { return find_partition(region).domain; }
std::string partition_of(const std::string& region) { return find_partition(region).name; }

Result<void> check_region(const std::string& region) {
    const bool word = !region.empty() && std::all_of(region.begin(), region.end(), [](unsigned char c) {
        return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '-';
    });
    if (word && std::isdigit(static_cast<unsigned char>(region.back())) != 0 && region.find('-') != std::string::npos) return {};
    const bool zone = word && region.size() > 2 && std::isdigit(static_cast<unsigned char>(region[region.size() - 2])) != 0;
    return fail(ErrorKind::invalid, "'{}' is no region of AWS{}", region,
                zone ? fmt::format(" but looks like a zone: its region is {}", region.substr(0, region.size() - 1)) : ", as us-east-1 is one");
}

Result<std::string> endpoint_of(const Service& service, const std::string& region, const Environment& environment) {
    TRY(check_region(region));
    std::string origin, url;
    if (environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") != "true") {
        origin = fmt::format("AWS_ENDPOINT_URL_{}", service.variable);
        url = environment(origin.c_str());
        if (url.empty()) url = environment((origin = "AWS_ENDPOINT_URL").c_str());
    }
    if (url.empty()) return fmt::format("https://{}.{}.{}/", service.name, region, domain_of(region));
    if (!url.starts_with("http://") && !url.starts_with("https://")) return fail(ErrorKind::invalid, "{}={} is no http or https URL", origin, url);
    return url;
}

std::string host_of_url(const std::string& url) {
    const auto scheme = url.find("://");
    const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
    auto host = url.substr(begin, url.find_first_of("/?#", begin) - begin);
    if (const auto at = host.rfind('@'); at != std::string::npos) host = host.substr(at + 1);
    const std::string_view usual = url.starts_with("https://") ? ":443" : ":80";
    if (host.ends_with(usual)) host.erase(host.rfind(':'));
    std::transform(host.begin(), host.end(), host.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return host;
}

std::string path_of_url(const std::string& url) {
    const auto scheme = url.find("://");
    const auto slash = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
    if (slash == std::string::npos) return "/";
    return url.substr(slash, url.find_first_of("?#", slash) - slash);
}

}  // namespace berth::aws
