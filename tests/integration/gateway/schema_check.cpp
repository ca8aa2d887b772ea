// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/gateway/schema_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/openapi.hpp"
#include "gateway/routes.hpp"

namespace berth::testing {

namespace {

using Json = nlohmann::json;

const Json& document() {
    static const Json made = Json::parse(gateway::openapi_document());
    return made;
}

bool is_of_type(const Json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    return type == "null" && value.is_null();
}

std::string check_value(const Json& value, const Json& schema, const std::string& where);

std::string check_object(const Json& value, const Json& schema, const std::string& where) {
    for (const auto& name : schema.value("required", Json::array())) {
        if (!value.contains(name)) return fmt::format("{} lacks {}", where, name.get<std::string>());
    }
    const auto properties = schema.value("properties", Json::object());
    for (const auto& [key, item] : value.items()) {
        const auto inside = where + "." + key;
        std::string wrong;
        if (properties.contains(key)) {
            wrong = check_value(item, properties[key], inside);
        } else if (const auto more = schema.find("additionalProperties"); more != schema.end()) {
            if (more->is_boolean() && !more->get<bool>()) wrong = inside + " is not told of";
            if (more->is_object()) wrong = check_value(item, *more, inside);
        }
        if (!wrong.empty()) return wrong;
    }
    return {};
}

std::string check_value(const Json& value, const Json& schema, const std::string& where) {
    if (const auto ref = schema.find("$ref"); ref != schema.end()) {
        const auto name = ref->get<std::string>();
        return check_value(value, document()["components"]["schemas"].at(name.substr(name.rfind('/') + 1)), where);
    }
    if (const auto type = schema.find("type"); type != schema.end()) {
        const auto types = type->is_array() ? *type : Json::array({*type});
        const bool fits = std::any_of(types.begin(), types.end(), [&](const Json& one) { return is_of_type(value, one.get<std::string>()); });
        if (!fits) return fmt::format("{} is {} and no {}", where, value.type_name(), type->dump());
    }
    if (const auto words = schema.find("enum"); words != schema.end()) {
        if (std::find(words->begin(), words->end(), value) == words->end()) return fmt::format("{} is {}", where, value.dump());
    }
    if (schema.value("pattern", "") == "^[0-9]+$") {
        const auto text = value.get<std::string>();
        if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return fmt::format("{} is '{}'", where, text);
    }
    if (value.is_object()) return check_object(value, schema, where);
    if (value.is_array() && schema.contains("items")) {
        for (std::size_t i = 0; i < value.size(); ++i) {
            if (auto wrong = check_value(value[i], schema["items"], fmt::format("{}[{}]", where, i)); !wrong.empty()) return wrong;
        }
    }
    return {};
}

}  // namespace

std::string against_document(const std::string& method, const std::string& target, const WireAnswer& answer) {
    const auto match = gateway::match_route(method, target.substr(0, target.find('?')));
    if (!match.route || method == "HEAD" || answer.status == 0) return {};
    auto lower = method;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto& responses = document()["paths"].at(std::string{match.route->path}).at(lower)["responses"];
    const auto status = std::to_string(answer.status);
    if (answer.status < 400 && !responses.contains(status)) return fmt::format("status {} is not told of", status);
    // What the server turns away before it knows the path is a problem everywhere.
    const bool early = answer.status == 413 || answer.status == 431 || answer.status == 408;
    const auto& told = responses.contains(status) ? responses[status] : responses["default"];
    const auto at = answer.headers.find("content-type");
    const auto type = at == answer.headers.end() ? std::string{} : at->second.substr(0, at->second.find(';'));
    if (!told["content"].contains(type)) return early ? std::string{} : fmt::format("{} {}: type '{}' is not told of", method, target, type);
    const auto& schema = told["content"][type]["schema"];
    if (type.find("json") == std::string::npos) return {};
    const auto body = Json::parse(answer.body, nullptr, false);
    if (body.is_discarded()) return "the body is no JSON: " + answer.body;
    const auto wrong = check_value(body, schema, "body");
    return wrong.empty() ? wrong : fmt::format("{} {} → {}: {}", method, target, status, wrong);
}

}  // namespace berth::testing
