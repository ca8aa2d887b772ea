// SPDX-License-Identifier: Apache-2.0
// What tests against a server that speaks as DynamoDB does share (with_dynamo.py starts it): its address, and calls
// as somebody else makes them.
#pragma once

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "aws/json.hpp"
#include "base/clock.hpp"

namespace berth::testing {

inline constexpr const char* dynamo_endpoint = "AWS_ENDPOINT_URL_DYNAMODB";

inline std::string variable(const char* name) {
    const auto* value = std::getenv(name);
    if (value == nullptr) throw std::runtime_error(std::string{name} + " is not set: tests/integration/dynamodb/with_dynamo.py runs this program");
    return value;
}

/// For as long as it lives, a variable of the environment is another; null: it is not set.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name), before_(variable(name)) {
        if (value == nullptr) ::unsetenv(name);
        if (value != nullptr) ::setenv(name, value, 1);
    }
    ~Variable() { ::setenv(name_, before_.c_str(), 1); }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    const char* name_;
    std::string before_;
};

class Amazon {
public:
    explicit Amazon(const std::string& url = variable(dynamo_endpoint))
        : client_(clock_, &who_, {.service = aws::dynamodb, .region = "us-east-1", .endpoint = url}) {}
    nlohmann::json call(const std::string& action, const nlohmann::json& body) {
        auto answer = client_.call(action, body);
        if (!answer) throw std::runtime_error(answer.error().text);
        return std::move(*answer);
    }

private:
    RealClock clock_;
    aws::FixedIdentity who_{{.access_key = "AK", .secret_key = "sk", .session_token = {}, .expires_at = {}, .origin = "test"}};
    aws::JsonClient client_;
};

}  // namespace berth::testing
