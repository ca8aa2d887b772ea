// SPDX-License-Identifier: Apache-2.0
#include "aws/fault.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "aws/xml.hpp"

namespace berth::aws {

namespace {

constexpr std::size_t words_shown_max = 600;

struct Known {
    std::string_view code;
    FaultClass kind;
};

// Of EC2, Auto Scaling and STS, and those that all services have.
constexpr Known known[] = {
    {"Throttling", FaultClass::throttle},
    {"ThrottlingException", FaultClass::throttle},
    {"ThrottledException", FaultClass::throttle},
    {"RequestThrottled", FaultClass::throttle},
    {"RequestThrottledException", FaultClass::throttle},
    {"RequestLimitExceeded", FaultClass::throttle},
    {"TooManyRequestsException", FaultClass::throttle},
    {"BandwidthLimitExceeded", FaultClass::throttle},
    {"SlowDown", FaultClass::throttle},
    {"ProvisionedThroughputExceededException", FaultClass::throttle},
    {"PriorRequestNotComplete", FaultClass::throttle},
    {"EC2ThrottledException", FaultClass::throttle},
    {"ResourceContention", FaultClass::contention},
    {"ResourceInUse", FaultClass::contention},
    {"ScalingActivityInProgress", FaultClass::contention},
    {"IncorrectInstanceState", FaultClass::contention},
    {"IdempotentInstanceTerminated", FaultClass::missing},
    {"AccessDenied", FaultClass::permission},
    {"AccessDeniedException", FaultClass::permission},
    {"UnauthorizedOperation", FaultClass::permission},
    {"AuthFailure", FaultClass::permission},
    {"OptInRequired", FaultClass::permission},
    {"Blocked", FaultClass::permission},
    {"InvalidClientTokenId", FaultClass::permission},
    {"UnrecognizedClientException", FaultClass::permission},
    {"MissingAuthenticationToken", FaultClass::permission},
    {"SignatureDoesNotMatch", FaultClass::permission},
    {"IncompleteSignature", FaultClass::permission},
    {"ExpiredToken", FaultClass::permission},
    {"ExpiredTokenException", FaultClass::permission},
    {"InvalidToken", FaultClass::permission},
    {"RequestExpired", FaultClass::skew},
    {"RequestTimeTooSkewed", FaultClass::skew},
    {"RequestInTheFuture", FaultClass::skew},
    {"LimitExceeded", FaultClass::quota},
    {"InstanceLimitExceeded", FaultClass::quota},
    {"VcpuLimitExceeded", FaultClass::quota},
    {"MaxSpotInstanceCountExceeded", FaultClass::quota},
    {"SpotMaxPriceTooLow", FaultClass::capacity},
    {"AddressLimitExceeded", FaultClass::quota},
    {"VolumeLimitExceeded", FaultClass::quota},
    {"SecurityGroupLimitExceeded", FaultClass::quota},
    {"PendingVerification", FaultClass::quota},
    {"InsufficientInstanceCapacity", FaultClass::capacity},
    {"InsufficientHostCapacity", FaultClass::capacity},
    {"InsufficientCapacity", FaultClass::capacity},
    {"InsufficientFreeAddressesInSubnet", FaultClass::capacity},
    {"InsufficientReservedInstanceCapacity", FaultClass::capacity},
    {"UnfulfillableCapacity", FaultClass::capacity},
    {"Unsupported", FaultClass::configuration},
    {"UnsupportedOperation", FaultClass::configuration},
    {"ValidationError", FaultClass::configuration},
    {"RequestTimeout", FaultClass::unreachable},
    {"RequestTimeoutException", FaultClass::unreachable},
    {"InternalFailure", FaultClass::broken},
    {"InternalError", FaultClass::broken},
    {"ServiceUnavailable", FaultClass::broken},
    {"Unavailable", FaultClass::broken},
};

bool has(std::string_view text, std::string_view part) {
    const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b)); };
    return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

}  // namespace

FaultClass class_of_words(std::string_view words) {
    const std::pair<std::string_view, FaultClass> signs[] = {
        {"vcpu limit", FaultClass::quota},
        {"limit exceeded", FaultClass::quota},
        {"exceeded the limit", FaultClass::quota},
        {"more instances", FaultClass::quota},
        {"max spot instance count", FaultClass::quota},
        {"do not have sufficient", FaultClass::capacity},
        {"does not have sufficient", FaultClass::capacity},
        {"insufficient capacity", FaultClass::capacity},
        {"no spot capacity", FaultClass::capacity},
        {"unfulfillable", FaultClass::capacity},
        {"insufficientinstancecapacity", FaultClass::capacity},
        {"not authorized", FaultClass::permission},
        {"unauthorized", FaultClass::permission},
        {"access denied", FaultClass::permission},
        {"client.invalidkmskey", FaultClass::permission},
        {"rate exceeded", FaultClass::throttle},
        {"request limit", FaultClass::throttle},
        {"throttl", FaultClass::throttle},
        {"does not exist", FaultClass::configuration},
        {"invalid", FaultClass::configuration},
        {"not supported", FaultClass::configuration},
        {"incompatible", FaultClass::configuration},
    };
    for (const auto& [sign, kind] : signs) {
        if (has(words, sign)) return kind;
    }
    return FaultClass::broken;
}

FaultClass class_of(std::string_view code, std::string_view message, long status) {
    if (code.starts_with("SignatureDoesNotMatch") || code == "InvalidSignatureException") {
        return has(message, "expired") || has(message, "not yet current") ? FaultClass::skew : FaultClass::permission;
    }
    // Auto Scaling has one code for all that does not fit.
    if (code == "ValidationError" && (has(message, "not found") || has(message, "does not exist") || has(message, "not part of"))) return FaultClass::missing;
    for (const auto& [name, kind] : known) {
        if (name == code) return kind;
    }
    if (code.ends_with(".NotFound") || code.ends_with("NotFoundException")) return FaultClass::missing;
    if (code.ends_with("LimitExceeded")) return FaultClass::quota;
    if (code.starts_with("Invalid") || code.starts_with("Missing") || code.starts_with("Unknown")) return FaultClass::configuration;
    if (status == 429) return FaultClass::throttle;
    if (status == 401 || status == 403) return FaultClass::permission;
    return status >= 400 && status < 500 && !code.empty() ? FaultClass::configuration : FaultClass::broken;
}

std::string way_out(FaultClass kind, std::string_view action, std::string_view code) {
    switch (kind) {
        case FaultClass::throttle: return "Amazon throttles this account; berth tries again by itself";
        case FaultClass::contention: return "something else goes on there; berth tries again by itself";
        case FaultClass::permission:
            if (code.starts_with("Expired")) return "the credentials have expired: renew them (`aws sso login`, or new keys)";
            if (code == "InvalidClientTokenId" || code == "UnrecognizedClientException" || code == "AuthFailure" || code.starts_with("Signature")) {
                return "the access key or its secret is wrong, or of another account or partition";
            }
            return fmt::format("allow {} to these credentials (deploy/aws/policy.json)", action);
        case FaultClass::quota: return "ask for a higher quota of the account in that region (Service Quotas), or use another machine type";
        case FaultClass::capacity: return "use another zone or machine type, or wait";
        case FaultClass::configuration: return "mend the flag, or the pool's [template] and its group";
        case FaultClass::missing: return "check the name and the region";
        case FaultClass::skew: return "set this machine's clock (chrony, systemd-timesyncd)";
        case FaultClass::unreachable: return "check the network, the region's name and AWS_ENDPOINT_URL";
        case FaultClass::broken: return "see health.aws.amazon.com; berth tries again by itself";
    }
    return {};
}

Fault fault_of(std::string_view action, long status, std::string_view body) {
    pugi::xml_document document;
    std::string code, message, request;
    if (document.load_buffer(body.data(), body.size())) {
        // <ErrorResponse><Error>…<RequestId> of Query, <Response><Errors><Error>…<RequestID> of EC2.
        const auto error = document.select_node("//Error").node();
        code = text_of(error, "Code");
        message = text_of(error, "Message");
        request = document.select_node("//RequestId | //RequestID").node().text().get();
    }
    Fault fault{.code = code};
    fault.kind = class_of(code, message, status);
    fault.perhaps_done = status >= 500;
    if (code.empty()) {
        fault.text = fmt::format("{} was answered with HTTP {} and no error of Amazon's: {}", action, status, way_out(fault.kind, action, code));
        return fault;
    }
    fault.text = fmt::format("{} was refused: {}: {}{}; {}", action, code, message.substr(0, words_shown_max),
                             request.empty() ? "" : fmt::format(" (request {})", request), way_out(fault.kind, action, code));
    return fault;
}

Error to_error(const Fault& fault) {
    switch (fault.kind) {
        case FaultClass::permission: return {ErrorKind::denied, fault.text};
        case FaultClass::quota:
        case FaultClass::capacity: return {ErrorKind::no_capacity, fault.text};
        case FaultClass::configuration: return {ErrorKind::invalid, fault.text};
        case FaultClass::missing: return {ErrorKind::not_found, fault.text};
        default: return {ErrorKind::unavailable, fault.text};
    }
}

tl::unexpected<Fault> refused(const Error& error) {
    return tl::make_unexpected(Fault{.kind = error.kind == ErrorKind::denied ? FaultClass::permission : FaultClass::configuration, .text = error.text});
}

}  // namespace berth::aws
