// SPDX-License-Identifier: Apache-2.0
#include "gateway/openapi.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/json.hpp"
#include "gateway/routes.hpp"
#include "gateway/schemas.hpp"

namespace berth::gateway {

namespace {

Json ref(std::string_view name) { return {{"$ref", fmt::format("#/components/schemas/{}", name)}}; }
Json content(std::string_view type, Json schema) { return {{std::string{type}, {{"schema", std::move(schema)}}}}; }

std::string_view tag_of(const Route& route) {
    if (route.style == Style::compat) return "older clients";
    if (route.style == Style::page) return "monitoring and pages";
    const auto rest = route.path.substr(std::string_view{"/v1/"}.size());
    return rest.substr(0, rest.find('/'));
}

Json header_parameter(std::string_view name, bool required, std::string_view meaning, Json schema = {{"type", "string"}}) {
    return {{"name", name}, {"in", "header"}, {"required", required}, {"description", meaning}, {"schema", std::move(schema)}};
}

// The words that a field takes, where these are few.
std::vector<std::string> words_of(Operation operation, std::string_view field) {
    if (operation == Operation::answer_login && field == "answer") return {"confirm", "refuse"};
    if (operation == Operation::end_host && field == "mode") return {"wait", "force", "undo"};
    if ((operation == Operation::mint_token || operation == Operation::invite_user) && field == "role") return {"user", "operator"};
    return {};
}

Json parameters_of(const Route& route) {
    auto list = Json::array();
    if (const auto open = route.path.find('{'); open != std::string_view::npos) {
        const auto name = route.path.substr(open + 1, route.path.find('}') - open - 1);
        list.push_back({{"name", name}, {"in", "path"}, {"required", true},
                        {"schema", schema_of(name == "project" ? FieldKind::project : FieldKind::id)}});
    }
    for (const auto& rule : route.query) {
        list.push_back({{"name", rule.name}, {"in", "query"}, {"required", rule.need == Need::required},
                        {"description", rule.meaning}, {"schema", schema_of(rule.kind)}});
    }
    switch (route.operation) {
        case Operation::claim:
        case Operation::compat_claim:
        case Operation::compat_project:
            list.push_back(header_parameter("Idempotency-Key", route.operation == Operation::claim,
                                            "1 to 128 visible characters. The same key gives the same outcome, also after restarts; with "
                                            "another body it is refused (409).",
                                            {{"type", "string"}, {"minLength", 1}, {"maxLength", 128}, {"pattern", "^[!-~]{1,128}$"}}));
            list.push_back(header_parameter("Prefer", false, "'wait=<seconds>': how long to wait when the body does not say."));
            break;
        case Operation::events:
            list.push_back(header_parameter("Last-Event-ID", false, "The id of the last event seen: the stream goes on after it."));
            break;
        default: break;
    }
    return list;
}

Json body_of(const Route& route) {
    auto properties = Json::object();
    auto required = Json::array();
    for (const auto& rule : route.body) {
        auto schema = schema_of(rule.kind);
        schema["description"] = rule.meaning;
        if (auto words = words_of(route.operation, rule.name); !words.empty()) schema = {{"type", "string"}, {"enum", std::move(words)}, {"description", rule.meaning}};
        if (route.operation == Operation::sign_in) schema["minLength"] = 1;
        if (rule.name == "ttl_ms") schema["minimum"] = 1;
        if (rule.name == "uses") {
            schema["minimum"] = 1;
            schema["maximum"] = host_token_uses_max;
        }
        if (rule.need == Need::optional) {         // null is as good as left out
            schema["type"] = Json::array({schema["type"], "null"});
            if (schema.contains("enum")) schema["enum"].push_back(nullptr);
        }
        properties[std::string{rule.name}] = std::move(schema);
        if (rule.need == Need::required) required.push_back(rule.name);
    }
    Json schema = {{"type", "object"}, {"properties", std::move(properties)}};
    const bool needed = !required.empty() || route.operation == Operation::sign_in;
    if (!required.empty()) schema["required"] = std::move(required);
    if (route.operation == Operation::sign_in) {   // one of the two
        const auto alone = [](const char* one, const char* other) {
            return Json{{"required", Json::array({one})}, {"properties", {{one, {{"type", "string"}}}, {other, {{"type", "null"}}}}}};
        };
        schema["oneOf"] = Json::array({alone("link", "token"), alone("token", "link")});
    }
    if (route.style == Style::v1) schema["additionalProperties"] = false;
    return {{"required", needed}, {"content", content("application/json", std::move(schema))}};
}

Json good_answer(const Route& route) {
    if (route.operation == Operation::events) {
        return {{"description", "Server-sent events: 'event' is the name, 'id' (of facts) the place in the ledger, 'data' a CloudEvents 1.0 object."},
                {"content", content("text/event-stream", {{"type", "string"}})}};
    }
    if (route.answer.empty()) {
        const bool metrics = route.operation == Operation::metrics;
        const bool script = route.operation == Operation::dashboard_script || route.operation == Operation::dashboard_stream ||
                            route.operation == Operation::sign_in_script || route.operation == Operation::open_script || route.operation == Operation::login_script;
        const bool style = route.operation == Operation::dashboard_style;
        return {{"description", route.summary},
                {"content", content(metrics ? "text/plain" : script ? "text/javascript" : style ? "text/css" : "text/html", {{"type", "string"}})}};
    }
    return {{"description", route.summary}, {"content", content("application/json", ref(route.answer))}};
}

Json responses_of(const Route& route) {
    Json all = Json::object();
    all["200"] = good_answer(route);
    if (route.operation == Operation::claim) {
        all["201"] = {{"description", "The claim is new and granted"}, {"content", content("application/json", ref("Claim"))}};
        all["202"] = {{"description", "Still open when the wait ended; Location leads to it"}, {"content", content("application/json", ref("Claim"))}};
    }
    if (route.operation == Operation::mint_token || route.operation == Operation::invite_user || route.operation == Operation::begin_login ||
        route.operation == Operation::mint_host_token) {
        all["201"] = std::move(all["200"]);
        all.erase("200");
    }
    if (route.answer == "Health") {
        all["503"] = {{"description", "A part does not answer; 'failing' names it"}, {"content", content("application/json", ref("Health"))}};
    }
    const bool compat = route.style == Style::compat;
    const auto bad = [&](const char* status, const char* text) {
        all[status] = {{"description", text},
                       {"content", compat ? content("application/json", ref("CompatError")) : content("application/problem+json", ref("Problem"))}};
    };
    if (route.reach != Reach::everyone) bad("401", "No token, or one that is not known");
    if (route.reach == Reach::operators || route.effect == Effect::changes) bad("403", "The token may not, or a browser was tricked into it");
    bad("default", "Refused: nothing was done");
    if (route.operation == Operation::open_workspace || route.operation == Operation::begin_oidc || route.operation == Operation::end_oidc) {
        all["303"] = {{"description", "On to where it leads"}, {"content", content("text/html", {{"type", "string"}})}};
        all["default"]["content"]["text/html"] = {{"schema", {{"type", "string"}}}};   // a page says why, and looks again
    }
    return all;
}

Json operation_of(const Route& route) {
    Json made = {{"operationId", route.name}, {"tags", Json::array({tag_of(route)})}, {"summary", route.summary}};
    if (route.reach == Reach::everyone) {
        made["security"] = Json::array();
    } else {
        made["x-berth-reach"] = route.reach == Reach::operators ? "operators" : "users see and touch what is theirs";
    }
    if (auto parameters = parameters_of(route); !parameters.empty()) made["parameters"] = std::move(parameters);
    if (route.method == "POST") made["requestBody"] = body_of(route);
    made["responses"] = responses_of(route);
    return made;
}

std::string write_document() {
    Json document = {
        {"openapi", "3.1.0"},
        {"info", {{"title", "berth"}, {"version", BERTH_VERSION}, {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
                  {"description", "Development environments on machines you own. Refusals on /v1/ are RFC 9457 problems; on the older routes "
                                  "{\"error\": \"…\"}. Numbers of 64 bits are decimal text."}}},
        {"servers", Json::array({{{"url", "/"}}})},
        {"security", Json::array({{{"bearer", Json::array()}}})}};
    auto paths = Json::object();
    for (const auto& route : routes()) {
        std::string method{route.method};
        std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        paths[std::string{route.path}][method] = operation_of(route);
    }
    document["paths"] = std::move(paths);
    document["components"] = {{"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}, {"schemas", all_schemas()}};
    return document.dump(2) + "\n";
}

}  // namespace

const std::string& openapi_document() {
    static const std::string text = write_document();
    return text;
}

}  // namespace berth::gateway
