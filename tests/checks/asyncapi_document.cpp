// SPDX-License-Identifier: Apache-2.0
// Prints docs/asyncapi.json, the bus in the words of AsyncAPI 3, from the catalog: what events.md says for
// people, for programs that make clients, mocks and pages of it. What is optional may be absent, nothing is null.
#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "events/catalog.hpp"
#include "events/envelope.hpp"

namespace berth {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

Json reference(const std::string& kind, const std::string& name) { return {{"$ref", "#/components/" + kind + "/" + name}}; }

// The shapes of messages as JSON Schema; each struct once, by its name.
class Schemas {
public:
    template <class T>
    Json of() {
        if constexpr (is_optional<T>::value) {
            return of<typename T::value_type>();
        } else if constexpr (std::is_same_v<T, bool>) {
            return {{"type", "boolean"}};
        } else if constexpr (std::is_floating_point_v<T>) {
            return {{"type", "number"}};
        } else if constexpr (std::is_integral_v<T>) {
            return std::is_unsigned_v<T> ? Json{{"type", "integer"}, {"minimum", 0}} : Json{{"type", "integer"}};
        } else if constexpr (std::is_same_v<T, std::string>) {
            return {{"type", "string"}};
        } else if constexpr (std::is_same_v<T, Instant>) {
            return {{"type", "string"}, {"format", "date-time"}};
        } else if constexpr (std::is_same_v<T, Duration>) {
            return {{"type", "integer"}, {"minimum", 0}, {"description", "milliseconds"}};
        } else if constexpr (NamedEnum<T>) {
            auto words = Json::array();
            for (const auto word : enum_names(T{})) words.push_back(word);
            return {{"type", "string"}, {"enum", std::move(words)}};
        } else if constexpr (std::is_same_v<T, FactRecord>) {
            return {{"type", "object"}, {"description", "a fact with its position, term, time, name, data, reason and cause, as the ledger has it"}};
        } else if constexpr (requires { typename T::mapped_type; }) {
            return {{"type", "object"}, {"additionalProperties", of<typename T::mapped_type>()}};
        } else if constexpr (requires { typename T::value_type; T{}.push_back(typename T::value_type(T{}.front())); }) {
            return {{"type", "array"}, {"items", of<typename T::value_type>()}};
        } else if constexpr (!Reflected<T> && requires { T{}.value; }) {
            if constexpr (std::is_same_v<std::decay_t<decltype(T{}.value)>, std::string>) return {{"type", "string"}};
            else return {{"type", "string"}, {"pattern", "^[0-9]+$"}, {"description", "64 bits, as decimal text"}};
        } else if constexpr (Reflected<T>) {
            const auto name = name_of<T>();
            if (!defined.contains(name)) {
                defined[name] = Json::object();
                defined[name] = object<T>();
            }
            return reference("schemas", name);
        } else {
            return {{"type", "object"}};
        }
    }

    template <Reflected T>
    Json object() {
        Json shape{{"type", "object"}, {"properties", Json::object()}};
        auto required = Json::array();
        std::apply([&](const auto&... field) { (add<std::decay_t<decltype(T{}.*field.member)>>(shape, required, std::string{field.name}), ...); }, T::fields());
        if (!required.empty()) shape["required"] = std::move(required);
        return shape;
    }

    std::map<std::string, Json> defined;

private:
    template <class Member>
    void add(Json& shape, Json& required, const std::string& name) {
        shape["properties"][name] = of<Member>();
        if constexpr (!is_optional<Member>::value) required.push_back(name);
    }
    template <class T>
    std::string name_of() {
        const std::string full = __PRETTY_FUNCTION__;
        const auto from = full.find("T = berth::") + 11;
        auto word = full.substr(from, full.find_first_of(";]", from) - from);
        if (const auto space = word.rfind("::"); space != std::string::npos) word = word.substr(space + 2);
        return word;
    }
};

Json words(const Roles& roles) {
    auto list = Json::array();
    for (const auto name : enum_names(Role{})) {
        if (roles.has(*enum_from<Role>(name))) list.push_back(name);
    }
    return list;
}

Json envelope() {
    const Json text{{"type", "string"}}, whole{{"type", "integer"}, {"minimum", 0}}, time{{"type", "string"}, {"format", "date-time"}};
    return {{"type", "object"},
            {"description", "The attributes of CloudEvents 1.0 beside the data, in one msgpack map (docs/bus.md)"},
            {"properties", {{"specversion", {{"type", "string"}, {"const", "1.0"}}}, {"id", text}, {"source", text}, {"type", text}, {"subject", text}, {"time", time},
                            {"sequence", whole}, {"correlationid", text}, {"causationid", text}, {"traceparent", text}, {"datacontenttype", text}, {"ledgerid", text}, {"ledgerposition", text}, {"deadline", time},
                            {"error", {{"type", "object"}, {"description", "of a reply that failed: kind and text; there is no data then"}}}}}};
}

Json document() {
    Schemas schemas;
    auto channels = Json::object(), operations = Json::object(), messages = Json::object();
    for_each_entry([&](const auto& entry) {
        using E = std::decay_t<decltype(entry)>;
        const std::string name{entry.name};
        const bool by_host = entry.routing == Routing::by_host;
        Json message{{"name", type_attribute(entry.name)}, {"title", name}, {"summary", entry.meaning},
                     {"headers", reference("schemas", "Envelope")}, {"payload", schemas.template object<typename E::Payload>()},
                     {"x-kind", to_string(entry.kind)}, {"x-senders", words(entry.senders)}, {"x-receivers", words(entry.receivers)}};
        messages[name] = std::move(message);
        Json channel{{"address", topic_of(entry.name, by_host ? "{host}" : "")}, {"messages", {{name, reference("messages", name)}}}};
        if (by_host) channel["parameters"] = {{"host", {{"description", "the host's id"}}}};
        channels[name] = std::move(channel);
        const bool asks = entry.kind == MessageKind::request;
        Json operation{{"action", asks ? "receive" : "send"}, {"channel", {{"$ref", "#/channels/" + name}}}, {"summary", entry.meaning}};
        if constexpr (!std::is_same_v<typename E::Reply, NoReply>) {
            const auto answer = name + ".reply";
            messages[answer] = {{"name", type_attribute(entry.name)}, {"title", answer}, {"headers", reference("schemas", "Envelope")},
                                {"payload", schemas.template of<typename E::Reply>()}};
            channels["reply"]["address"] = "reply.";
            channels["reply"]["messages"][answer] = reference("messages", answer);
            operation["reply"] = {{"channel", {{"$ref", "#/channels/reply"}}}, {"messages", Json::array({{{"$ref", "#/channels/reply/messages/" + answer}}})}};
        }
        operations[name] = std::move(operation);
    });
    auto shapes = Json::object();
    shapes["Envelope"] = envelope();
    for (auto& [name, shape] : schemas.defined) shapes[name] = shape;
    return {{"asyncapi", "3.0.0"},
            {"info", {{"title", "berth's bus"}, {"version", "1"},
                      {"description", "Events by publish and subscribe, requests by DEALER and ROUTER, over ZeroMQ with CURVE. Frames, keys and a client in "
                                      "a minute: docs/bus.md. Generated from events/catalog.hpp; a test compares."},
                      {"license", {{"name", "Apache-2.0"}}}}},
            {"defaultContentType", "application/msgpack"},
            {"channels", std::move(channels)},
            {"operations", std::move(operations)},
            {"components", {{"messages", std::move(messages)}, {"schemas", std::move(shapes)}}}};
}

}  // namespace
}  // namespace berth

int main() {
    const auto text = berth::document().dump(1);
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::puts("") >= 0 ? 0 : 1;
}
