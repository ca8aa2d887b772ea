// SPDX-License-Identifier: Apache-2.0
#include "cli/chain.hpp"

#include <algorithm>
#include <map>

#include "cli/text.hpp"

namespace berth::cli {

namespace {

std::string dim(const std::string& text, bool colour) { return colour ? "\033[2m" + text + "\033[0m" : text; }
std::string bold(const std::string& text, bool colour) { return colour ? "\033[1m" + text + "\033[0m" : text; }

std::string clock_of(const std::string& rfc3339) {  // 04:13:01.123 of 2026-11-21T04:13:01.123Z
    return rfc3339.size() >= 23 ? rfc3339.substr(11, 12) : rfc3339;
}
std::string day_of(const std::string& rfc3339) { return rfc3339.substr(0, 10); }

std::string since(const std::string& earlier, const std::string& later) {
    const auto from = from_rfc3339(earlier);
    const auto to = from_rfc3339(later);
    if (!from || !to) return {};
    const auto between = *to - *from;
    return between.count() < 1000 ? fmt::format(", {} ms later", between.count()) : ", " + elapsed(between) + " later";
}

class Gist {
public:
    explicit Gist(const Json& data) : data_(data) {}
    Gist& add(std::string_view before, std::string_view key) {
        const auto text = value(key);
        if (!text.empty()) text_ += fmt::format("{}{}{}", text_.empty() ? "" : " ", before.empty() ? "" : std::string{before} + " ", text);
        return *this;
    }
    std::string text() const { return text_; }

private:
    std::string value(std::string_view key) const {
        const auto* found = find(data_, key);
        if (found != nullptr && found->is_object()) return text_at(*found, "host");  // a HostRef
        auto text = text_at(data_, key);
        if (key.ends_with("_ms") && !text.empty()) return short_duration(Duration{std::stoll("0" + text)});
        if (text.size() >= 23 && text[10] == 'T') return text.substr(11, 8);
        return text;
    }
    const Json& data_;
    std::string text_;
};

}  // namespace

std::string gist_of(std::string_view type, const Json& data) {
    Gist gist(data);
    if (type == "claim.accepted") return gist.add("", "project").add("for", "user").add("as", "claim").add("in pool", "pool").text();
    if (type == "claim.granted") return gist.add("", "workspace").add("on", "host").add("epoch", "epoch").text();
    if (type == "claim.denied") return gist.add("", "state").add("", "kind").add("–", "text").text();
    if (type == "lease.granted") {
        return gist.add("", "workspace").add("on", "host").add("slot", "slot").add("epoch", "epoch").add("until", "expires_at").text();
    }
    if (type == "lease.extended") return gist.add("", "workspace").add("until", "expires_at").text();
    if (type == "workspace.held") return gist.add("", "workspace").add("until", "until").text();
    if (type == "workspace.idle_withdrawn") return gist.add("", "workspace").text();
    if (type == "workspace.idle_noted") return gist.add("", "workspace").add("stops at", "stop_at").text();
    if (type == "workspace.started") return gist.add("", "workspace").add("on", "host").add("slot", "slot").add("in", "container").text();
    if (type == "workspace.restarted") return gist.add("", "workspace").add("on", "host").add("slot", "slot").add("in", "container").text();
    if (type == "workspace.incident") return gist.add("", "workspace").add("–", "text").text();
    if (type == "home.archived" || type == "home.lost" || type == "home.chosen") {
        const auto* archive = data.is_object() ? find(data, "archive") : nullptr;
        auto text = gist.add("", "workspace").add("on", "host").text();
        if (archive == nullptr || !archive->is_object()) return text;
        return text + fmt::format("{}snapshot {} of {}", text.empty() ? "" : "  ", text_at(*archive, "snapshot").substr(0, 8), text_at(*archive, "at"));
    }
    if (type == "host.leaving") return gist.add("", "host").add("by", "by").text();
    if (type == "host.impaired") return gist.add("", "host").add("–", "text").text();
    if (type == "workspace.failed") return gist.add("", "workspace").add("on", "host").add("slot", "slot").add("–", "text").text();
    if (type == "slot.quarantined") return gist.add("", "host").add("slot", "slot").add("–", "text").text();
    if (type == "host.registered") return gist.add("", "host").add("in pool", "pool").add("with slots", "slots").text();
    if (type == "host.unknown") return gist.add("", "host").add("last heard", "last_heartbeat_at").text();
    if (type == "launch.failed") return gist.add("", "launch").add("", "failure").add("–", "text").text();
    if (type == "launch.met") return gist.add("", "launch").add("in pool", "pool").add("by", "provider").text();
    if (type == "launch.started") return gist.add("", "launch").add("in pool", "pool").text();
    if (type == "pool.defined") {
        return gist.add("", "pool").add("buffer", "buffer").add("", "buffer_unit").add("hosts", "hosts_min").add("to", "hosts_max").text();
    }
    if (type == "pool.retired") return gist.add("", "pool").text();
    if (type == "allocator.took_over") return gist.add("ledger", "ledger").add("version", "version").text();
    return gist.add("", "workspace").add("", "host").add("slot", "slot").add("epoch", "epoch").add("", "launch").text();
}

std::string draw_chain(const std::string& subject, const std::vector<Json>& facts, const ChainLook& look) {
    if (facts.empty()) return fmt::format("nothing in the ledger is about {}\n", printable(subject));
    std::map<std::string, std::string> time_of;  // "#12" -> its time
    std::size_t position_width = 0;
    std::size_t type_width = 0;
    for (const auto& fact : facts) {
        const auto mark = "#" + text_at(fact, "position");
        time_of[mark] = text_at(fact, "at");
        position_width = std::max(position_width, mark.size());
        type_width = std::max(type_width, text_at(fact, "type").size());
    }
    std::string out;
    std::string day;
    for (std::size_t i = 0; i < facts.size(); ++i) {
        const auto& fact = facts[i];
        const auto at = text_at(fact, "at");
        if (day_of(at) != day) {
            day = day_of(at);
            out += bold(fmt::format("{}  {}", printable(day), printable(subject)), look.colour) + "\n";
        }
        const auto type = printable(text_at(fact, "type"));
        const auto* data = find(fact, "data");
        const auto gist = data == nullptr ? std::string{} : printable(gist_of(type, *data));
        out += fmt::format("{}  {:>{}}  {}  {}", printable(clock_of(at)), "#" + printable(text_at(fact, "position")),
                           position_width, bold(fmt::format("{:<{}}", type, type_width), look.colour), gist);
        while (out.back() == ' ') out.pop_back();
        out += "\n";
        if (look.detail == Detail::brief) continue;

        const bool last = i + 1 == facts.size();
        const auto gutter = fmt::format("{:>6}{:>{}}", last ? " " : "│", "", position_width + 10);
        const auto* reason = find(fact, "reason");
        const auto line = [&](std::string_view name, const std::string& text) {
            if (!text.empty()) out += gutter + dim(fmt::format("{:<9}", name), look.colour) + printable(text) + "\n";
        };
        if (reason != nullptr) {
            line("because", text_at(*reason, "why"));
            if (const auto* evidence = find(*reason, "evidence"); evidence != nullptr && evidence->is_array()) {
                for (const auto& item : *evidence) line("evidence", item.is_string() ? item.get<std::string>() : item.dump());
            }
            auto actor = text_at(*reason, "actor");
            if (const auto policy = text_at(*reason, "policy"); !policy.empty()) actor += ", policy " + policy;
            line("by", actor);
        }
        if (const auto cause = text_at(fact, "cause"); !cause.empty()) {
            const auto known = time_of.find(cause);
            line("from", cause.starts_with('#')
                             ? fmt::format("{}{}", cause, known == time_of.end() ? std::string{} : since(known->second, at))
                             : "message " + cause);
        }
        if (!last) out += fmt::format("{:>6}\n", "│");
    }
    return out;
}

}  // namespace berth::cli
