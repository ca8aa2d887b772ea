// SPDX-License-Identifier: Apache-2.0
#include "proxy/use.hpp"

#include <algorithm>
#include <array>

namespace berth::proxy {

namespace {

constexpr Duration jitter_min{150};        // between two beats of the same rhythm
constexpr int jitter_share = 10;           // … or a tenth of the interval

constexpr std::array<std::string_view, 9> editor_parts{
    "/stable-", "/insider-", "/oss-", "/_static/", "/vscode-remote-resource", "/mint-key", "/manifest.json", "/update/", "/healthz"};

/// `/proxy/3000` and what is below it.
bool is_below_port(std::string_view path, std::string_view prefix) {
    if (!path.starts_with(prefix)) return false;
    path.remove_prefix(prefix.size());
    const auto end = path.find_first_not_of("0123456789");
    if (end == 0) return false;
    return end == std::string_view::npos ? !path.empty() : path[end] == '/' || path[end] == '?';
}

bool is_read(std::string_view method) { return method == "GET" || method == "HEAD"; }

}  // namespace

Target target_of(std::string_view path, bool websocket) {
    if (is_below_port(path, "/proxy/") || is_below_port(path, "/absproxy/")) return Target::program;
    if (websocket && path.find("reconnectionToken=") != std::string_view::npos) return Target::editor_socket;
    const auto is_ours = [&](std::string_view part) { return path.starts_with(part); };
    return std::any_of(editor_parts.begin(), editor_parts.end(), is_ours) ? Target::editor_part : Target::page;
}

Sign sign_of(const Ask& ask) {
    if (ask.prefetch || ask.target == Target::editor_socket || ask.target == Target::editor_part) return Sign::never;
    if (!is_read(ask.method)) return Sign::always;
    if (ask.fetch_mode == "navigate") return ask.fetch_user == "?1" ? Sign::always : Sign::unless_it_repeats;
    // No browser says where it comes from: to the person's programs it may be a loop; elsewhere it is somebody.
    if (ask.fetch_mode.empty() && ask.target == Target::page) return Sign::always;
    return Sign::unless_it_repeats;
}

bool is_failure(unsigned status) { return status >= 500; }

bool Rhythm::repeats(std::string_view what, Instant now) {
    what = what.substr(0, beat_bytes_max);
    const auto found = std::find_if(beats_.begin(), beats_.end(), [&](const Beat& beat) { return beat.what == what; });
    if (found == beats_.end()) {
        if (beats_.size() == beats_max) beats_.pop_back();
        beats_.push_front({std::string{what}, now, std::nullopt});
        return false;
    }
    auto beat = std::move(*found);
    beats_.erase(found);
    const auto interval = std::max(Duration{0}, now - beat.last);
    const auto before = beat.interval;
    beat.last = now;
    beat.interval = interval;
    beats_.push_front(std::move(beat));
    if (!before) return false;
    const auto difference = interval > *before ? interval - *before : *before - interval;
    return difference <= std::max(jitter_min, *before / jitter_share);
}

}  // namespace berth::proxy
