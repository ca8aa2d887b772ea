// SPDX-License-Identifier: Apache-2.0
#include "cli/workspace_columns.hpp"

#include "aws/prices.hpp"
#include "cli/text.hpp"

namespace berth::cli {

namespace {

std::function<std::string(const Json&)> text(std::string key) {
    return [key = std::move(key)](const Json& row) { return text_at(row, key); };
}

std::function<std::string(const Json&)> when(std::string key, Instant now) {
    return [key = std::move(key), now](const Json& row) {
        const auto at = from_rfc3339(text_at(row, key));
        return at ? relative(*at, now) : std::string{};
    };
}

std::function<std::string(const Json&)> length(std::string key) {
    return [key = std::move(key)](const Json& row) {
        const auto* value = find(row, key);
        return value != nullptr && value->is_number() ? short_duration(Duration{value->get<std::int64_t>()}) : std::string{};
    };
}

// "stops in 2m10s" when the reaper announced it, else when the lease ends.
std::string ends(const Json& row, Instant now) {
    if (const auto stop = from_rfc3339(text_at(row, "idle_stop_at"))) return "idle, stops " + relative(*stop, now);
    const auto state = text_at(row, "state");
    if (state == "stopped" || state == "destroyed") return {};
    const auto at = from_rfc3339(text_at(row, "expires_at"));
    return at ? relative(*at, now) : std::string{};
}

std::string slots_used(const Json& row) {
    const auto* slots = find(row, "slots");
    if (slots == nullptr) return {};
    if (!slots->is_array()) return text_at(row, "slots");
    std::size_t used = 0;
    for (const auto& slot : *slots) {
        const auto use = text_at(slot, "use");
        used += use == "leased" || use == "stopping" ? 1 : 0;
    }
    return fmt::format("{}/{}", used, slots->size());
}

std::string percent(const Json& row, const char* key) {
    const auto* load = find(row, "load");
    const auto* value = load == nullptr ? nullptr : find(*load, key);
    return value != nullptr && value->is_number() ? fmt::format("{:.0f}%", value->get<double>() * 100) : std::string{};
}

}  // namespace

std::string used(const Json& row, Instant now) {
    const auto* use = find(row, "use");
    if (use == nullptr || !use->is_object()) return {};
    const auto last = from_rfc3339(text_at(*use, "last_at")), since = from_rfc3339(text_at(*use, "since")), idle = from_rfc3339(text_at(*use, "idle_at"));
    const auto what = text_at(*use, "text");
    if (!last) return "unknown: " + what;
    if (since) return what + " for " + short_duration(now - *since);
    const auto stops = idle && text_at(row, "idle_stop_at").empty() ? ", idle " + relative(*idle, now) : std::string{};
    return fmt::format("{}, {}{}", what, relative(*last, now), stops);
}

std::vector<Column> workspace_columns(Instant now) {
    return {{"WORKSPACE", text("workspace")},
            {"PROJECT", text("project")},
            {"USER", text("user")},
            {"STATE", text("state")},
            {"ENDS", [now](const Json& row) { return ends(row, now); }},
            {"URL", text("url")},
            {"NOTE", text("incident"), Shown::when_any},
            {"POOL", text("pool"), Shown::wide},
            {"HOST", text("host"), Shown::wide},
            {"SLOT", text("slot"), Shown::wide, Align::right},
            {"EPOCH", text("epoch"), Shown::wide, Align::right},
            {"USED", [now](const Json& row) { return used(row, now); }, Shown::wide},
            {"HELD", when("hold_until", now), Shown::wide},
            {"CREATED", when("created_at", now), Shown::wide},
            {"CHANGED", when("changed_at", now), Shown::wide}};
}

std::vector<Column> claim_columns(Instant now) {
    return {{"WORKSPACE", text("workspace")},
            {"PROJECT", text("project")},
            {"USER", text("user")},
            {"STATE", text("state")},
            {"ENDS", when("lease_expires_at", now)},
            {"URL", text("url")},
            {"LINK", text("link")},
            {"HOST", text("host"), Shown::wide},
            {"INSTANCE", text("instance"), Shown::wide},
            {"IP", text("ip"), Shown::wide},
            {"PORT", text("port"), Shown::wide, Align::right},
            {"EPOCH", text("epoch"), Shown::wide, Align::right},
            {"CLAIM", text("claim"), Shown::wide},
            {"KEY", text("key"), Shown::wide}};
}

std::vector<Column> host_columns(Instant now) {
    return {{"HOST", text("host")},
            {"POOL", text("pool")},
            {"LIVENESS", text("liveness")},
            {"ADMISSION", [](const Json& row) { return find(row, "ending") != nullptr ? std::string{"ending"} : text_at(row, "admission"); }},
            {"USED", slots_used, Shown::always, Align::right},
            {"CPU", [](const Json& row) { return percent(row, "cpu"); }, Shown::always, Align::right},
            {"MEMORY", [](const Json& row) { return percent(row, "memory"); }, Shown::always, Align::right},
            {"SINCE", when("registered_at", now)},
            {"HEARD", when("heard_at", now), Shown::wide},
            {"LEASED UNTIL", when("lease_expires_at", now), Shown::wide},
            {"REACHED", [](const Json& row) {
                 const auto* reach = find(row, "reach");
                 return reach == nullptr ? std::string{} : text_at(*reach, "ok") == "true" ? std::string{"yes"} : "no: " + text_at(*reach, "why");
             }, Shown::wide},
            {"NOTE", [](const Json& row) { return text_at(row, "impaired").empty() ? std::string{} : "can start nothing: " + text_at(row, "impaired"); }, Shown::when_any},
            {"EMPTIED", [now](const Json& row) {
                 const auto* leaving = find(row, "leaving");
                 const auto by = leaving == nullptr ? Instant{} : from_rfc3339(text_at(*leaving, "by")).value_or(Instant{});
                 return leaving == nullptr ? std::string{} : relative(by, now) + ": " + text_at(*leaving, "why");
             }, Shown::when_any},
            {"HOMES", text("home_trouble"), Shown::when_any},
            {"TYPE", [](const Json& row) { return find(row, "price") == nullptr ? std::string{} : text_at(*find(row, "price"), "machine_type"); }, Shown::when_any},
            {"$/HOUR", [](const Json& row) {
                 const auto* price = find(row, "price");
                 const auto* amount = price == nullptr ? nullptr : find(*price, "microdollars_per_hour");
                 return amount == nullptr ? std::string{} : aws::dollars(amount->get<aws::Microdollars>());
             }, Shown::when_any, Align::right},
            {"INSTANCE", text("instance"), Shown::wide},
            {"IP", text("private_ip"), Shown::wide},
            {"PORT", text("proxy_port"), Shown::wide, Align::right},
            {"DISK", [](const Json& row) { return percent(row, "disk"); }, Shown::wide, Align::right},
            {"FAILURES", text("failures"), Shown::wide, Align::right},
            {"PROVIDER", text("provider"), Shown::wide},
            {"INCARNATION", text("incarnation"), Shown::wide},
            {"WAITS FOR", text("waits_for"), Shown::wide}};
}

std::vector<Column> pool_columns() {
    return {{"POOL", text("pool")},
            {"PROVIDER", text("provider")},
            {"HOSTS", text("hosts"), Shown::always, Align::right},
            {"MIN", text("hosts_min"), Shown::always, Align::right},
            {"MAX", text("hosts_max"), Shown::always, Align::right},
            {"READY", text("ready"), Shown::always, Align::right},
            {"LEASED", text("leased"), Shown::always, Align::right},
            {"LAUNCHING", text("launching"), Shown::always, Align::right},
            {"WAITING", text("waiting"), Shown::always, Align::right},
            {"BUFFER", [](const Json& row) {
                 return find(row, "retired_at") != nullptr ? std::string{"none: retired"} : text_at(row, "buffer") + " " + text_at(row, "buffer_unit");
             }},
            {"$/HOUR", [](const Json& row) {
                 const auto* cost = find(row, "microdollars_per_hour");
                 return cost == nullptr ? std::string{} : aws::dollars(cost->get<aws::Microdollars>());
             }, Shown::when_any, Align::right},
            {"QUARANTINED", text("quarantined"), Shown::wide, Align::right},
            {"SLOTS/HOST", text("slots_per_host"), Shown::wide, Align::right},
            {"STANDBYS", text("standbys"), Shown::wide, Align::right},
            {"TTL", length("ttl_ms"), Shown::wide},
            {"TTL MAX", length("ttl_max_ms"), Shown::wide},
            {"IDLE AFTER", length("idle_after_ms"), Shown::wide},
            {"LIFETIME MAX", length("lifetime_max_ms"), Shown::wide}};
}

}  // namespace berth::cli
