// SPDX-License-Identifier: Apache-2.0
#include "cli/narrate.hpp"

#include <charconv>

#include "cli/text.hpp"

namespace berth::cli {

namespace {

std::uint32_t number_at(const Json& data, std::string_view key) {
    const auto text = text_at(data, key);
    std::uint32_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

Phase progress_of(const Json& data) {
    auto text = text_at(data, "phase");
    const auto place = number_at(data, "place");
    if (text.empty()) text = text_at(data, "state");
    if (place > 0 && text_at(data, "state") == "waiting") text += fmt::format(", {} in line", ordinal(place));
    return {text, text_at(data, "blocked_by")};
}

std::string with_blame(const Phase& phase) {
    return phase.blocked_by.empty() ? phase.text : fmt::format("{} (held up by: {})", phase.text, phase.blocked_by);
}

}  // namespace

bool ClaimFollower::is_ours(const Json& data) {
    const auto claim = text_at(data, "claim");
    const auto workspace = text_at(data, "workspace");
    const bool ours = text_at(data, "key") == key_ || (!claim_.empty() && claim == claim_) ||
                      (claim.empty() && !workspace_.empty() && workspace == workspace_);
    if (ours && !claim.empty()) claim_ = claim;
    if (ours && !workspace.empty()) workspace_ = workspace;
    return ours;
}

std::optional<Phase> ClaimFollower::feed(std::string_view type, const Json& data) {
    if (!data.is_object() || !is_ours(data)) return std::nullopt;
    if (type == "claim.accepted") return Phase{fmt::format("accepted as {}", claim_), ""};
    if (type == "claim.progress") return progress_of(data);
    if (type == "lease.granted") {
        return Phase{fmt::format("slot {} of {} leased", text_at(data, "slot"), text_at(data, "host")), ""};
    }
    if (type == "workspace.started") return Phase{"the environment is healthy", ""};
    if (type == "workspace.failed") {
        return Phase{fmt::format("the start on {} failed: {}", text_at(data, "host"), text_at(data, "text")), ""};
    }
    if (type == "claim.granted") {
        granted_ = true;
        return std::nullopt;  // the answer with its link is what makes it ready
    }
    if (type == "claim.denied") {
        ended_ = Error{enum_from<ErrorKind>(text_at(data, "kind")).value_or(ErrorKind::no_capacity), text_at(data, "text")};
        return Phase{fmt::format("{}: {}", text_at(data, "state"), text_at(data, "text")), ""};
    }
    return std::nullopt;
}

std::string event_name_of(std::string_view stream_type, const Json& body) {
    auto type = text_at(body, "type");
    if (type.empty()) type = stream_type;
    constexpr std::string_view before = "io.berth.";
    constexpr std::string_view after = ".v1";
    if (type.starts_with(before)) type.erase(0, before.size());
    if (type.ends_with(after)) type.resize(type.size() - after.size());
    return type;
}

std::optional<std::string> Narrator::note(const Phase& phase, Instant now) {
    if (phase_ == phase) return std::nullopt;
    phase_ = phase;
    phase_since_ = now;
    return fmt::format("{:>7}  {}", elapsed(now - started_at_), printable(with_blame(phase)));
}

std::string Narrator::waiting_line(Instant now) const {
    if (!phase_) return fmt::format("{:>6}  asking", elapsed(now - started_at_));
    return fmt::format("{:>6}  {} for {}", elapsed(now - started_at_), printable(with_blame(*phase_)),
                       elapsed(now - phase_since_));
}

}  // namespace berth::cli
