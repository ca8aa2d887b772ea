// SPDX-License-Identifier: Apache-2.0
#include "aws/json.hpp"

#include <openssl/evp.h>

#include <nlohmann/json.hpp>
#include <optional>

namespace berth::aws {

using Json = nlohmann::json;

namespace {

constexpr std::size_t words_shown_max = 600;

std::string text_in(const Json& object, const char* key) {
    return object.is_object() && object.contains(key) && object.at(key).is_string() ? object.at(key).get<std::string>() : std::string{};
}

}  // namespace

Fault json_fault_of(const std::string& permission, long status, const std::string& body) {
    const auto read = Json::parse(body, nullptr, false);
    auto code = text_in(read, "__type");
    if (const auto hash = code.rfind('#'); hash != std::string::npos) code.erase(0, hash + 1);
    auto message = text_in(read, "message");
    if (message.empty()) message = text_in(read, "Message");
    Fault fault{.code = code};
    fault.kind = class_of(code, message, status);
    fault.perhaps_done = status >= 500;
    fault.text = code.empty() ? fmt::format("{} was answered with HTTP {} and no error of Amazon's: {}", permission, status, way_out(fault.kind, permission, code))
                              : fmt::format("{} was refused: {}: {}; {}", permission, code, message.substr(0, words_shown_max), way_out(fault.kind, permission, code));
    return fault;
}

Called<Json> JsonClient::call(const std::string& action, const Json& body, Repeat repeat) {
    const auto& service = setup().service;
    std::optional<Json> read;
    const auto called = exchange_.call({.permission = std::string{service.name} + ":" + action,
                                        .headers = {{"Content-Type", "application/x-amz-json-1.0"},
                                                    {"X-Amz-Target", fmt::format("DynamoDB_{}.{}", service.version, action)}},
                                        .body = body.dump(),
                                        .take = [&](const std::string& answer) -> Called<void> {
                                            auto parsed = Json::parse(answer, nullptr, false);
                                            if (!parsed.is_object()) {
                                                return tl::make_unexpected(Fault{.kind = FaultClass::broken, .text = "the answer of " + action + " is no JSON object", .perhaps_done = true});
                                            }
                                            read = std::move(parsed);
                                            return {};
                                        },
                                        .fault = json_fault_of}, repeat);
    if (!called) return tl::make_unexpected(called.error());
    return std::move(*read);
}

std::string to_base64(std::string_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::string from_base64(std::string_view text) {
    if (text.empty() || text.size() % 4 != 0) return {};
    std::string bytes(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    // Padding is decoded as zeros.
    const auto padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    if (size < padding) return {};
    bytes.resize(static_cast<std::size_t>(size - padding));
    return bytes;
}

}  // namespace berth::aws
