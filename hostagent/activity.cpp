// SPDX-License-Identifier: Apache-2.0
#include "hostagent/activity.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace berth::hostagent {

namespace {

/// The number after `"name":` in a flat JSON object; the shell's HTTP client bounded its size.
std::optional<std::uint64_t> number_of(std::string_view body, std::string_view name) {
    auto at = body.find(name);
    if (at == std::string_view::npos) return std::nullopt;
    at += name.size();
    while (at < body.size() && (body[at] == ' ' || body[at] == ':')) ++at;
    std::uint64_t value = 0;
    std::size_t digits = 0;
    for (; at < body.size() && body[at] >= '0' && body[at] <= '9'; ++at, ++digits) {
        value = value * 10 + static_cast<std::uint64_t>(body[at] - '0');
    }
    if (digits == 0 || digits > 15) return std::nullopt;
    return value;
}

/// What is used, over the floor; nothing when it is not.
std::optional<std::string> over_floor(const UseMemory& before, const Usage& now, Duration passed, const UseFloor& floor) {
    const auto& was = before.usage;
    if (now.cpu_ns < was.cpu_ns || now.io_bytes < was.io_bytes || now.net_bytes < was.net_bytes) return "counted anew";
    const auto ms = static_cast<double>(std::max({passed, floor.window, Duration{1}}).count());
    const auto per_second = [&](std::uint64_t later, std::uint64_t earlier) { return static_cast<double>(later - earlier) * 1e3 / ms; };
    const auto cpu = per_second(now.cpu_ns, was.cpu_ns) / 1e9;
    const auto io = per_second(now.io_bytes, was.io_bytes);
    const auto net = per_second(now.net_bytes, was.net_bytes);
    if (cpu > floor.cpu) return fmt::format("{:.0f} % of a core", std::max(1.0, cpu * 100));
    if (io > floor.io) return fmt::format("{:.0f} kB/s of disk", io / 1e3);
    if (net > floor.net) return fmt::format("{:.0f} kB/s of network", net / 1e3);
    return std::nullopt;
}

Signal judge_use(UseMemories& memories, const SlotRecord& record, const Reading& reading, const UseFloor& floor) {
    if (!reading.usage) return {"cpu", std::nullopt};
    const auto found = memories.find(record.container);
    if (found == memories.end()) {   // nothing to compare with: it may have been in use until now
        memories.emplace(record.container, UseMemory{*reading.usage, reading.read_at, reading.read_at});
        return {"cpu", reading.read_at};
    }
    auto& memory = found->second;
    const auto passed = reading.read_at - memory.counted_from;
    auto used = over_floor(memory, *reading.usage, passed, floor);
    if (used) {
        memory.last_use = reading.read_at;
        memory.text = used;
    }
    if (used || passed >= floor.window) {
        memory.usage = *reading.usage;
        memory.counted_from = reading.read_at;
    }
    return {.name = "cpu", .last_at = memory.last_use, .text = memory.text};
}

/// One for all that runs: the latest to begin, since it counts longest.
std::optional<Signal> judge_jobs(const Reading& reading) {
    std::optional<Signal> latest;
    const auto weigh = [&](Signal job) {
        job.last_at = reading.read_at;
        if (!latest || *latest->since < *job.since) latest = std::move(job);
    };
    if (reading.usage) {
        for (const auto& job : reading.usage->jobs) weigh({"job", std::nullopt, std::min(job.since, reading.read_at), fmt::format("a terminal runs `{}`", job.command)});
    }
    if (reading.notes && *reading.notes) {
        for (const auto& note : **reading.notes) {
            if (note.written_at + note_fresh < reading.read_at) continue;   // its window is gone, and what it ran with it
            for (const auto& job : note.running) weigh({"job", std::nullopt, std::min(*job.since, reading.read_at), job.text});
        }
    }
    return latest;
}

}  // namespace

EditorReading read_editor(int http_status, const std::string& body) {
    if (http_status == 404) return {.word = EditorWord::absent};
    if (http_status != 200 || !body.starts_with('{')) return {};
    const bool alive = body.find("\"alive\"") != std::string::npos;
    const bool expired = body.find("\"expired\"") != std::string::npos;
    const auto last = number_of(body, "\"lastHeartbeat\"");
    if (alive == expired || !last) return {};
    EditorReading reading{.word = EditorWord::said, .alive = alive};
    if (*last > 0) reading.last_at = Instant{Duration{static_cast<std::int64_t>(*last)}};
    return reading;
}

std::vector<Signal> judge(UseMemories& memories, const SlotRecord& record, const Reading& reading, const UseFloor& floor) {
    const auto begun = record.bound_at.value_or(reading.read_at);
    std::vector<Signal> signals;
    if (reading.proxy) {
        signals.push_back({"proxy", std::max(begun, reading.proxy->value_or(begun))});
    } else {
        signals.push_back({"proxy", std::nullopt});
    }
    if (reading.notes) {
        const bool known = *reading.notes && reading.editors;
        signals.push_back(known ? judge_presence(**reading.notes, *reading.editors, begun, reading.read_at) : Signal{"presence", std::nullopt});
    }
    if (reading.editor.word == EditorWord::silent) {
        signals.push_back({"editor", std::nullopt});
    } else if (reading.editor.word == EditorWord::said && !reading.notes) {   // "alive" is any open page: its notes know better
        const auto last = std::max(begun, reading.editor.last_at.value_or(begun));
        signals.push_back({"editor", reading.editor.alive ? reading.read_at : last});
    }
    signals.push_back(judge_use(memories, record, reading, floor));
    // Whoever waited for a job has the whole window, from its end on, to come back to it.
    auto job = judge_jobs(reading);
    if (const auto memory = memories.find(record.container); memory != memories.end()) {
        if (job) memory->second.job = job;
        else job = memory->second.job;
    }
    if (job) signals.push_back(std::move(*job));
    return signals;
}

}  // namespace berth::hostagent
