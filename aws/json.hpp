// SPDX-License-Identifier: Apache-2.0
// The JSON protocol of DynamoDB: one POST per call, JSON there and back.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "aws/exchange.hpp"

namespace berth::aws {

inline constexpr Service dynamodb{"dynamodb", "20120810", "DYNAMODB"};

class JsonClient {
public:
    /// `identity` may be null: calls that need none. Clock and identity outlive it.
    JsonClient(const Clock& clock, Identity* identity, Setup setup) : exchange_(clock, identity, std::move(setup)) {}

    /// `harmful`: the call must not be done twice, so that a lost answer is not tried again.
    Called<nlohmann::json> call(const std::string& action, const nlohmann::json& body, Repeat repeat = Repeat::harmless);
    const Setup& setup() const { return exchange_.setup(); }

private:
    Exchange exchange_;
};

/// "__type" and "message" of an answer that is no 2xx.
Fault json_fault_of(const std::string& permission, long status, const std::string& body);

/// As binary attributes are written (RFC 4648, with padding).
std::string to_base64(std::string_view bytes);
/// Empty when it is none.
std::string from_base64(std::string_view text);

}  // namespace berth::aws
