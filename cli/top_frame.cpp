// SPDX-License-Identifier: Apache-2.0
#include "cli/top_frame.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "cli/pool_report.hpp"
#include "cli/text.hpp"

namespace berth::cli {

namespace {

constexpr Duration last_minute{60'000};
constexpr std::size_t hosts_rows_least = 4;          // of what is left of a small terminal

std::int64_t number_at(const Json& row, std::string_view key) {
    const auto* value = find(row, key);
    return value != nullptr && value->is_number() ? value->get<std::int64_t>() : 0;
}

std::string word(const Json& row, std::string_view key) { return printable(text_at(row, key)); }

/// Cut at the terminal's edge, between characters.
std::string fitted(const std::string& line, std::size_t columns) {
    if (display_width(line) <= columns) return line;
    std::string out;
    for (std::size_t at = 0; at < line.size();) {
        std::size_t length = 1;
        while (at + length < line.size() && (static_cast<unsigned char>(line[at + length]) & 0xC0U) == 0x80U) ++length;
        if (display_width(out + line.substr(at, length)) >= columns) break;
        out += line.substr(at, length);
        at += length;
    }
    return out + "~";
}

std::string padded(const std::string& text, std::size_t width) {
    const auto shown = fitted(text, width);
    return shown + std::string(width - std::min(width, display_width(shown)), ' ');
}

std::string counted(const std::map<std::string, int>& of, std::string_view none) {
    std::string text;
    for (const auto& [name, count] : of) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
    return text.empty() ? std::string{none} : text;
}

bool is_there(const Json& host) { return text_at(host, "liveness") != "gone"; }

int slots_of(const Json& host, std::string_view use) {
    const auto* slots = find(host, "slots");
    if (slots == nullptr || !slots->is_array()) return 0;
    return static_cast<int>(std::count_if(slots->begin(), slots->end(), [&](const Json& slot) { return use.empty() || text_at(slot, "use") == use; }));
}

/// target − (ready + launching), and what waits: in slots, or in idle hosts where the pool counts these.
std::int64_t missing_of(const Json& pool, const Json& hosts) {
    const auto launching = number_at(pool, "launching");
    if (text_at(pool, "buffer_unit") == "hosts") {
        const auto idle = std::count_if(hosts.begin(), hosts.end(), [&](const Json& host) {
            return is_there(host) && text_at(host, "pool") == text_at(pool, "pool") && slots_of(host, "") > 0 && slots_of(host, "free") == slots_of(host, "");
        });
        return std::max<std::int64_t>(0, number_at(pool, "buffer") - idle - launching);
    }
    const auto promised = launching * std::max<std::int64_t>(1, number_at(pool, "slots_per_host"));
    return std::max<std::int64_t>(0, number_at(pool, "buffer") + number_at(pool, "waiting") - number_at(pool, "ready") - promised);
}

struct ClaimCounts {
    std::map<std::string, int> open;
    int granted = 0, denied = 0;          // in the last minute
};
ClaimCounts count_claims(const TopPicture& picture) {
    ClaimCounts counts;
    for (const auto& claim : picture.claims) {
        const auto state = text_at(claim, "state");
        if (state == "waiting" || state == "starting") {
            ++counts.open[state];
            continue;
        }
        const auto ended = from_rfc3339(text_at(claim, "ended_at"));
        if (!ended || *ended + last_minute < picture.now) continue;
        ++(state == "granted" ? counts.granted : counts.denied);
    }
    return counts;
}

/// What an event told of it; else what its pool says.
std::string why_waiting(const Json& claim, const TopPicture& picture) {
    if (const auto told = picture.reasons.find(text_at(claim, "claim")); told != picture.reasons.end()) return told->second;
    const auto place = text_at(claim, "place");
    std::string why = place.empty() ? text_at(claim, "state") : fmt::format("place {}", place);
    for (const auto& pool : picture.pools) {
        if (text_at(pool, "pool") != text_at(claim, "pool")) continue;
        why += fmt::format(", {} ready, {} launching", number_at(pool, "ready"), number_at(pool, "launching"));
        if (const auto said = provider_says(pool); !said.empty()) why += "; " + said.front().text;
    }
    return why;
}

std::vector<Json> waiting_of(const TopPicture& picture) {
    std::vector<Json> waiting;
    for (const auto& claim : picture.claims) {
        const auto state = text_at(claim, "state");
        if (state == "waiting" || state == "starting") waiting.push_back(claim);
    }
    std::stable_sort(waiting.begin(), waiting.end(), [](const Json& a, const Json& b) { return text_at(a, "accepted_at") < text_at(b, "accepted_at"); });
    return waiting;
}

std::string percent(const Json& host, std::string_view of) {
    const auto* load = find(host, "load");
    const auto* value = load == nullptr ? nullptr : find(*load, of);
    return value == nullptr || !value->is_number() ? "-" : fmt::format("{:.0f}%", value->get<double>() * 100);
}

std::string bar(const Json& host) {
    std::string text;
    for (const auto& [use, mark] : {std::pair{"leased", '#'}, {"stopping", '~'}, {"quarantined", 'x'}, {"free", '.'}}) {
        text += std::string(static_cast<std::size_t>(slots_of(host, use)), mark);
    }
    return text;
}

std::string host_line(const Json& host, Instant now) {
    auto state = word(host, "liveness");
    if (const auto admission = word(host, "admission"); !admission.empty() && admission != "open") state += " " + admission;
    if (!text_at(host, "impaired").empty()) state += " impaired";
    const auto heard = from_rfc3339(text_at(host, "heard_at"));
    return fmt::format("{} {} {} {:>5} {:>5} {:>5} {:>6}  {}", padded(word(host, "host"), 16), padded(word(host, "pool"), 10), padded(state, 14), percent(host, "cpu"),
                       percent(host, "memory"), percent(host, "disk"), heard ? short_duration(std::max(Duration{0}, now - *heard)) : "-", bar(host));
}

}  // namespace

std::string top_frame(const TopPicture& picture, TopSize size) {
    std::vector<std::string> lines;
    lines.push_back(fmt::format("berth {} at {}  {}  {}", word(picture.health, "version"), printable(picture.gateway), word(picture.health, "status"),
                                to_rfc3339(picture.now).substr(11, 8)));
    std::string parts;
    if (const auto* all = find(picture.health, "parts"); all != nullptr && all->is_object()) {
        for (const auto& [part, state] : all->items()) {
            parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", printable(part), printable(state.is_string() ? state.get<std::string>() : state.dump()));
        }
    }
    lines.push_back("parts     " + (parts.empty() ? "none named" : parts));
    const auto claims = count_claims(picture);
    lines.push_back(fmt::format("claims    {}; last minute {} granted ({:.2f}/s), {} refused", counted(claims.open, "none waits"), claims.granted,
                                static_cast<double>(claims.granted) / 60, claims.denied));
    std::map<std::string, int> states;
    for (const auto& workspace : picture.workspaces) ++states[word(workspace, "state")];
    lines.push_back("sessions  " + counted(states, "none"));
    if (const auto* broker = find(picture.totals, "broker"); broker != nullptr && broker->is_object()) {
        lines.push_back(fmt::format("bus       {} events, {} requests, {} denied, {} slow receivers", number_at(*broker, "events"), number_at(*broker, "requests"),
                                    number_at(*broker, "denied"), number_at(*broker, "slow_receiver")));
    }
    lines.push_back("");
    lines.push_back(fmt::format("{} {:>5} {:>6} {:>7} {:>6} {:>7} {:>8} {:>10} {:>8}", padded("POOL", 12), "HOSTS", "SLOTS", "LEASED", "READY", "TARGET", "MISSING",
                                "LAUNCHING", "WAITING"));
    for (const auto& pool : picture.pools) {
        lines.push_back(fmt::format("{} {:>5} {:>6} {:>7} {:>6} {:>7} {:>8} {:>10} {:>8}", padded(word(pool, "pool"), 12), number_at(pool, "hosts"), number_at(pool, "slots"),
                                    number_at(pool, "leased"), number_at(pool, "ready"), number_at(pool, "buffer"), missing_of(pool, picture.hosts), number_at(pool, "launching"),
                                    number_at(pool, "waiting")));
        for (const auto& [text, way] : provider_says(pool)) lines.push_back("  " + printable(text));
    }
    const auto waiting = waiting_of(picture);
    std::vector<std::string> asking;
    for (const auto& claim : waiting) {
        const auto since = from_rfc3339(text_at(claim, "accepted_at"));
        asking.push_back(fmt::format("{} {} {:>6}  {}", padded(word(claim, "user"), 12), padded(word(claim, "project"), 14),
                                     since ? short_duration(std::max(Duration{0}, picture.now - *since)) : "-", printable(why_waiting(claim, picture))));
    }
    std::vector<std::string> machines;
    for (const auto& host : picture.hosts) {
        if (is_there(host)) machines.push_back(host_line(host, picture.now));
    }
    // What is left of the terminal goes to who waits first; hosts keep a few lines of it.
    std::size_t left = size.rows == 0 ? asking.size() + machines.size() : size.rows - std::min(size.rows, lines.size() + 5);
    const auto list = [&](const std::string& title, const std::vector<std::string>& rows, std::size_t most) {
        lines.push_back("");
        lines.push_back(title);
        const auto shown = std::min(rows.size(), most);
        lines.insert(lines.end(), rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(shown));
        if (shown < rows.size()) lines.push_back(fmt::format("… and {} more", rows.size() - shown));
        left -= std::min(left, shown + (shown < rows.size() ? 1 : 0));
    };
    const auto kept = std::min(machines.size(), hosts_rows_least);
    if (!asking.empty()) list(fmt::format("{} {} {:>6}  {}", padded("WAITS", 12), padded("PROJECT", 14), "SINCE", "WHY"), asking, left - std::min(left, kept));
    list(fmt::format("{} {} {} {:>5} {:>5} {:>5} {:>6}  {}", padded("HOST", 16), padded("POOL", 10), padded("STATE", 14), "CPU", "MEM", "DISK", "HEARD",
                     "SLOTS (# leased, . free)"), machines, left);
    std::string frame;
    for (const auto& line : lines) frame += fitted(line, size.columns) + "\n";
    return frame;
}

Json top_numbers(const TopPicture& picture) {
    const auto claims = count_claims(picture);
    Json numbers = {{"gateway", picture.gateway}, {"at", to_rfc3339(picture.now)}, {"status", text_at(picture.health, "status")}};
    numbers["parts"] = picture.health.contains("parts") ? picture.health["parts"] : Json::object();
    numbers["claims"] = {{"open", claims.open}, {"granted_last_minute", claims.granted}, {"refused_last_minute", claims.denied},
                         {"granted_per_second", static_cast<double>(claims.granted) / 60}};
    numbers["pools"] = Json::array();
    for (const auto& pool : picture.pools) {
        Json one = {{"pool", text_at(pool, "pool")}};
        for (const char* key : {"hosts", "slots", "leased", "ready", "buffer", "launching", "waiting"}) one[key] = number_at(pool, key);
        one["missing"] = missing_of(pool, picture.hosts);
        numbers["pools"].push_back(std::move(one));
    }
    numbers["waiting"] = Json::array();
    for (const auto& claim : waiting_of(picture)) {
        numbers["waiting"].push_back({{"claim", text_at(claim, "claim")}, {"user", text_at(claim, "user")}, {"project", text_at(claim, "project")},
                                      {"pool", text_at(claim, "pool")}, {"accepted_at", text_at(claim, "accepted_at")}, {"why", why_waiting(claim, picture)}});
    }
    numbers["hosts"] = Json::array();
    for (const auto& host : picture.hosts) {
        if (!is_there(host)) continue;
        numbers["hosts"].push_back({{"host", text_at(host, "host")}, {"pool", text_at(host, "pool")}, {"liveness", text_at(host, "liveness")},
                                    {"slots", slots_of(host, "")}, {"leased", slots_of(host, "leased")}, {"free", slots_of(host, "free")}});
        if (const auto* load = find(host, "load")) numbers["hosts"].back()["load"] = *load;
    }
    return numbers;
}

}  // namespace berth::cli
