// SPDX-License-Identifier: Apache-2.0
#include "gateway/schemas.hpp"

#include <fmt/format.h>

#include <variant>

#include "events/catalog.hpp"
#include "events/claim.hpp"
#include "events/view.hpp"
#include "gateway/tape.hpp"

namespace berth::gateway {

namespace {

Json ref(std::string_view name) { return {{"$ref", fmt::format("#/components/schemas/{}", name)}}; }
Json text() { return {{"type", "string"}}; }
Json whole() { return {{"type", "integer"}, {"minimum", 0}}; }
Json flag() { return {{"type", "boolean"}}; }
Json moment() { return {{"type", Json::array({"string", "null"})}, {"format", "date-time"}}; }
Json digits() { return {{"type", "string"}, {"pattern", "^[0-9]+$"}}; }
Json words(std::initializer_list<const char*> list) { return {{"type", "string"}, {"enum", Json(std::vector<std::string>(list.begin(), list.end()))}}; }
Json list_of(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Json counts() { return {{"type", "object"}, {"additionalProperties", whole()}}; }

struct Part {
    const char* name;
    Json schema;
    Need need = Need::required;
};

// An object with these members and no other.
Json object_of(std::vector<Part> parts) {
    Json properties = Json::object();
    Json required = Json::array();
    for (auto& part : parts) {
        properties[part.name] = std::move(part.schema);
        if (part.need == Need::required) required.push_back(part.name);
    }
    Json made = {{"type", "object"}, {"properties", std::move(properties)}};
    if (!required.empty()) made["required"] = std::move(required);
    made["additionalProperties"] = false;
    return made;
}

void add(Json& object, std::vector<Part> parts) {
    for (auto& part : parts) {
        object["properties"][part.name] = std::move(part.schema);
        if (part.need == Need::required) object["required"].push_back(part.name);
    }
}

// The twin of json_of() in json.hpp: what it makes of a T.
template <class T>
Json schema_of_type() {
    if constexpr (std::is_same_v<T, Instant>) {
        return moment();
    } else if constexpr (std::is_same_v<T, Duration>) {
        return {{"type", "integer"}, {"description", "milliseconds"}};
    } else if constexpr (std::is_same_v<T, bool>) {
        return flag();
    } else if constexpr (std::is_floating_point_v<T>) {
        return {{"type", "number"}};
    } else if constexpr (std::is_integral_v<T>) {
        return whole();
    } else if constexpr (NamedEnum<T>) {
        Json list = Json::array();
        for (const auto name : enum_names(T{})) list.push_back(name);
        return {{"type", "string"}, {"enum", std::move(list)}};
    } else if constexpr (detail::is_vector<T>::value) {
        return list_of(schema_of_type<typename T::value_type>());
    } else if constexpr (Reflected<T>) {
        Json properties = Json::object();
        Json required = Json::array();
        const auto put = [&]<class Member>(std::string_view name, Member T::*) {
            if constexpr (detail::is_optional<Member>::value) {
                properties[std::string{name}] = schema_of_type<typename Member::value_type>();
            } else {
                properties[std::string{name}] = schema_of_type<Member>();
                required.push_back(name);
            }
        };
        std::apply([&](const auto&... field) { (put(field.name, field.member), ...); }, T::fields());
        return {{"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}, {"additionalProperties", false}};
    } else if constexpr (requires(T value) { { value.value } -> std::convertible_to<std::uint64_t>; }) {
        return digits();                          // a Number
    } else {
        return text();                            // text and Ids
    }
}

Json paged(const char* name, std::string_view item, bool with_position = true) {
    auto made = object_of({{name, list_of(ref(item))}, {"next", text(), Need::optional}});
    if (with_position) add(made, {{"position", digits()}});
    return made;
}

Json fact_schema() {
    Json names = Json::array();
    const auto put = [&](const auto& entry) {
        if (entry.kind == MessageKind::fact) names.push_back(entry.name);
    };
    std::apply([&](const auto&... entry) { (put(entry), ...); }, catalog);
    auto reason = object_of({{"why", text()}, {"actor", text()}, {"policy", text()}, {"evidence", list_of(text())}});
    return object_of({{"position", digits()}, {"term", digits()}, {"at", moment()}, {"type", {{"type", "string"}, {"enum", std::move(names)}}},
                      {"data", {{"type", "object"}}}, {"reason", std::move(reason)}, {"cause", text()}});
}

Json claim_state_schema() {
    return object_of({{"claim", text()}, {"key", text()}, {"principal", text()}, {"user", text()}, {"project", text()}, {"pool", text()},
                      {"state", schema_of_type<ClaimState>()}, {"accepted_at", moment()}, {"deadline", moment()}, {"ended_at", moment()},
                      {"tries", whole()}, {"place", whole(), Need::optional}, {"workspace", text(), Need::optional},
                      {"host", text(), Need::optional}, {"url", text(), Need::optional}, {"lease_expires_at", moment(), Need::optional},
                      {"kind", schema_of_type<ErrorKind>(), Need::optional}, {"text", text(), Need::optional}});
}

Json health_schema() {
    const Json word = words({"ok", "failing"});
    return object_of({{"status", words({"ok", "degraded", "failing"})}, {"parts", {{"type", "object"}, {"additionalProperties", word}}}, {"position", digits()},
                      {"version", text()}, {"failing", list_of(text()), Need::optional}, {"error", text(), Need::optional},
                      {"detail", text(), Need::optional}});
}

Json compat_machine_schema() {
    const Json maybe_text = {{"type", Json::array({"string", "null"})}};
    auto workspace = object_of({{"workspaceId", text()}, {"userId", text()}, {"projectId", text()}, {"leaseExpiry", moment()}});
    return object_of({{"instanceId", text()}, {"ip", text()}, {"privateIp", text()}, {"state", text()}, {"isUsed", flag()},
                      {"assignedProject", maybe_text}, {"assignedUser", maybe_text}, {"leaseExpiry", moment()}, {"lastHeartbeat", moment()},
                      {"slotsFree", whole()}, {"slots", whole()}, {"workspaces", list_of(std::move(workspace))}});
}

Json compat_done_schema() {
    auto made = object_of({{"status", words({"ok"})}, {"released", whole(), Need::optional}, {"machineId", text(), Need::optional},
                           {"host", text(), Need::optional}, {"detail", text(), Need::optional}, {"instanceId", text(), Need::optional},
                           {"state", text(), Need::optional}});
    return made;
}

}  // namespace

Json schema_of(FieldKind kind) {
    constexpr const char* plain = "^[^\\u0000-\\u001f\\u007f]*$";
    switch (kind) {
        case FieldKind::name: return {{"type", "string"}, {"pattern", "^[a-zA-Z0-9_@][a-zA-Z0-9._@-]{0,63}$"}};
        case FieldKind::project:
            return {{"type", "string"}, {"pattern", "^[a-zA-Z0-9_@][a-zA-Z0-9._@-]{0,63}$"},
                    {"description", "No '..', and no first word of a path of this API."}};
        case FieldKind::id: return {{"type", "string"}, {"pattern", "^[a-zA-Z0-9._:@/-]{1,128}$"}};
        case FieldKind::text: return {{"type", "string"}, {"maxLength", 200}, {"pattern", plain}};
        case FieldKind::words: return {{"type", "string"}, {"maxLength", 500}, {"pattern", plain}};
        case FieldKind::long_text: return {{"type", "string"}, {"maxLength", 4000}, {"pattern", plain}};
        case FieldKind::duration_ms: return {{"type", "integer"}, {"minimum", 0}, {"maximum", 366LL * 24 * 3'600'000}};
        case FieldKind::number: return whole();
        case FieldKind::instant: return {{"type", "string"}, {"format", "date-time"}};
    }
    return text();
}

Json all_schemas() {
    Json all = Json::object();
    all["Claim"] = schema_of_type<ClaimReply>();
    all["ClaimState"] = claim_state_schema();
    all["Claims"] = paged("claims", "ClaimState");
    all["Workspace"] = schema_of_type<WorkspaceView>();
    add(all["Workspace"], {{"use", schema_of_type<UseView>(), Need::optional}, {"count", whole(), Need::optional}, {"position", digits(), Need::optional},
                           {"waiting", ref("ClaimState"), Need::optional}, {"home", schema_of_type<HomeProgress>(), Need::optional}});
    all["Tape"] = object_of({{"workspace", text()}, {"stretches", list_of(schema_of_type<Stretch>())}});
    all["Workspaces"] = paged("workspaces", "Workspace");
    all["Host"] = schema_of_type<HostView>();
    add(all["Host"], {{"load", schema_of_type<HostLoad>(), Need::optional}, {"phases", list_of(schema_of_type<SlotPhase>()), Need::optional}, {"reach", ref("Reach"), Need::optional},
                       {"heard_at", moment(), Need::optional}, {"lease_expires_at", moment(), Need::optional},
                       {"waits_for", text(), Need::optional}, {"home_trouble", text(), Need::optional}});
    all["HostEnd"] = schema_of_type<EndHostReply>();
    add(all["HostEnd"], {{"host", text()}});
    all["Hosts"] = paged("hosts", "Host");
    all["Pool"] = schema_of_type<PoolDefined>();
    for (const char* count : {"hosts", "slots", "ready", "leased", "stopping", "quarantined", "launching", "waiting"}) {
        add(all["Pool"], {{count, whole()}});
    }
    add(all["Pool"], {{"retired_at", moment(), Need::optional}, {"microdollars_per_hour", whole(), Need::optional},
                       {"troubles", list_of(schema_of_type<LaunchTrouble>()), Need::optional}, {"advice", list_of(text()), Need::optional}});
    all["Pools"] = paged("pools", "Pool");
    all["Fact"] = fact_schema();
    all["Facts"] = paged("facts", "Fact", false);
    add(all["Facts"], {{"head", digits()}});
    all["Status"] = object_of({{"ledger", text()}, {"term", digits()}, {"position", digits()}, {"hosts", counts()}, {"slots", counts()},
                               {"workspaces", counts()}, {"claims", counts()}, {"launches", whole()},
                               {"broker", counts(), Need::optional}, {"doubted_by", text(), Need::optional}, {"unmet", list_of(text()), Need::optional}});
    all["Health"] = health_schema();
    all["Alive"] = object_of({{"status", words({"ok"})}});
    all["Me"] = object_of({{"role", words({"user", "operator"})}, {"user", text()}, {"token", text()}});
    all["Session"] = object_of({{"signed_in", flag()}, {"role", words({"user", "operator"}), Need::optional}, {"user", text(), Need::optional},
                                {"expires_at", moment(), Need::optional}, {"provider", text(), Need::optional}});
    all["User"] = object_of({{"user", text()}, {"roles", list_of(words({"user", "operator"}))}, {"tokens", whole()}, {"sessions", whole()},
                             {"links", whole()}, {"workspaces", whole()}, {"active", whole()}, {"signed_in_at", moment()}});
    all["Login"] = object_of({{"login", text()}, {"secret", text()}, {"code", text()}, {"url", text()}, {"expires_at", moment()}});
    all["LoginToken"] = object_of({{"state", words({"waiting", "confirmed"})}, {"token", text(), Need::optional}, {"user", text(), Need::optional},
                                   {"role", words({"user", "operator"}), Need::optional}, {"expires_at", moment(), Need::optional}});
    all["LoginAsked"] = object_of({{"code", text()}, {"machine", text()}, {"address", text()}, {"state", words({"waiting", "confirmed", "refused"})}});
    all["Users"] = paged("users", "User");
    all["Invite"] = object_of({{"id", text()}, {"user", text()}, {"role", words({"user", "operator"})}, {"expires_at", moment()}, {"link", text()}});
    all["UserEnded"] = object_of({{"user", text()}, {"ended", whole()}});
    all["TokenState"] = object_of({{"kind", words({"bearer", "session", "invite"})}, {"id", text()}, {"role", words({"user", "operator", "host"})}, {"user", text()}, {"note", text()},
                                   {"created_at", moment()}, {"expires_at", moment(), Need::optional}, {"pool", text(), Need::optional},
                                   {"uses_max", whole(), Need::optional}, {"used", whole(), Need::optional}});
    all["Token"] = all["TokenState"];
    add(all["Token"], {{"token", text()}});
    all["HostToken"] = all["Token"];
    add(all["HostToken"], {{"url", text()}, {"command", text()}});
    all["Enrolled"] = object_of({{"host", text()}, {"pool", text()}, {"slots", whole()}, {"fresh", flag()},
                                 {"broker", object_of({{"requests", text()}, {"public_key", text()}})},
                                 {"settings", {{"type", "object"}, {"additionalProperties", {{"type", "object"}, {"additionalProperties", text()}}}}}});
    all["Reach"] = object_of({{"ok", flag()}, {"why", text()}, {"at", moment()}});
    all["Enrolment"] = object_of({{"host", text()}, {"pool", text(), Need::optional}, {"registered", flag()}, {"liveness", text(), Need::optional},
                                  {"reach", ref("Reach"), Need::optional}});
    all["Tokens"] = paged("tokens", "TokenState", false);
    all["Revoked"] = object_of({{"revoked", text()}});
    all["OpenApi"] = {{"type", "object"}, {"required", Json::array({"openapi", "info", "paths"})}};
    all["CompatProject"] = object_of({{"ip", text()}, {"projectId", text()}, {"instanceId", text()}, {"url", text()}, {"token", text()},
                                      {"leaseExpiry", moment()}});
    all["CompatClaim"] = all["CompatProject"];
    add(all["CompatClaim"], {{"port", whole()}, {"workspaceId", text()}, {"userId", text()}});
    all["CompatStatus"] = object_of({{"totalMachines", whole()}, {"idleMachines", whole()}, {"usedMachines", whole()},
                                     {"machines", list_of(compat_machine_schema())}});
    all["CompatDone"] = compat_done_schema();
    all["CompatError"] = object_of({{"error", text()}, {"reason", text(), Need::optional}});
    all["Problem"] = object_of({{"type", {{"type", "string"}, {"format", "uri"}}}, {"title", text()}, {"status", whole()}, {"detail", text()},
                                {"kind", schema_of_type<ErrorKind>()}, {"field", text(), Need::optional}, {"request_id", text()}});
    return all;
}

}  // namespace berth::gateway
