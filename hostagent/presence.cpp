// SPDX-License-Identifier: Apache-2.0
#include "hostagent/presence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace berth::hostagent {

namespace {

std::string_view take_word(std::string_view& line) {
    const auto end = std::min(line.find(' '), line.size());
    const auto word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
}

std::optional<std::int64_t> number_of(std::string_view word) {
    constexpr std::size_t digits_max = 15;
    std::int64_t value = 0;
    const auto [end, bad] = std::from_chars(word.data(), word.data() + word.size(), value);
    const bool whole = bad == std::errc{} && end == word.data() + word.size();
    return whole && value >= 0 && word.size() <= digits_max ? std::optional{value} : std::nullopt;
}

bool is_fresh(const PresenceNote& note, Instant read_at) { return note.written_at + note_fresh >= read_at; }

}  // namespace

std::string plain_words(std::string_view words, std::size_t bytes_max) {
    std::string plain{words.substr(0, bytes_max)};
    const auto is_plain = [](unsigned char c) { return c >= 0x20 && c < 0x7f; };
    std::replace_if(plain.begin(), plain.end(), [&](char c) { return !is_plain(static_cast<unsigned char>(c)); }, '?');
    if (words.size() > bytes_max) plain += "...";
    return plain;
}

std::optional<PresenceNote> parse_note(std::string_view text, Instant written_at) {
    if (text.empty() || text.size() > note_bytes_max) return std::nullopt;
    PresenceNote note{.written_at = written_at};
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto kind = take_word(line);
        const auto number = number_of(take_word(line));
        if (!number) return std::nullopt;
        const Instant at{Duration{*number}};
        if (kind == "touched") {
            note.touched_at = at;
            note.how = plain_words(line);
        } else if (kind == "active") {
            note.active = *number != 0;
        } else if ((kind == "task" || kind == "debug") && note.running.size() < note_running_max) {
            const auto what = kind == "task" ? "the task `{}` runs" : "`{}` is being debugged";
            note.running.push_back({"job", written_at, at, fmt::format(fmt::runtime(what), plain_words(line))});
        }
    }
    return note;
}

Signal judge_presence(const std::vector<PresenceNote>& notes, const std::optional<EditorsSeen>& editors, Instant begun, Instant read_at) {
    // A page that no longer speaks (closed, asleep) has nobody before it, whatever its extensions last heard.
    const bool connected = editors && editors->windows > 0 && editors->at + note_fresh >= read_at;
    Signal presence{.name = "presence", .last_at = begun};
    std::size_t fresh = 0;
    for (const auto& note : notes) {
        const bool speaks = is_fresh(note, read_at);
        fresh += speaks ? 1 : 0;
        auto last = std::min(note.touched_at, read_at);
        const bool active = note.active && speaks && connected;
        if (active) last = std::max(last, std::min({note.written_at, editors->at, read_at}));
        if (last <= *presence.last_at) continue;
        presence.last_at = last;
        presence.text = active ? "somebody is at the editor" : note.how.empty() ? "touched" : note.how;
    }
    if (connected && editors->windows > fresh) {
        presence.last_at.reset();
        presence.text = fmt::format("{} of {} open editor windows do not say whether anybody is there", editors->windows - fresh, editors->windows);
    }
    return presence;
}

}  // namespace berth::hostagent
