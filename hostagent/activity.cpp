// SPDX-License-Identifier: Apache-2.0
#include "hostagent/activity.hpp"

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

bool over_floor(const UseMemory& before, const Usage& now, Duration passed, const UseFloor& floor) {
    if (now.cpu_ns < before.usage.cpu_ns || now.io_bytes < before.usage.io_bytes) return true;   // counted anew
    const auto ms = static_cast<double>(std::max({passed, floor.window, Duration{1}}).count());
    const auto cpu = static_cast<double>(now.cpu_ns - before.usage.cpu_ns) / (ms * 1e6);
    const auto io = static_cast<double>(now.io_bytes - before.usage.io_bytes) * 1e3 / ms;
    return cpu > floor.cpu || io > floor.io;
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
    const bool used = over_floor(memory, *reading.usage, passed, floor);
    if (used) memory.last_use = reading.read_at;
    if (used || passed >= floor.window) {
        memory.usage = *reading.usage;
        memory.counted_from = reading.read_at;
    }
    return {"cpu", memory.last_use};
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
    if (reading.editor.word == EditorWord::silent) {
        signals.push_back({"editor", std::nullopt});
    } else if (reading.editor.word == EditorWord::said) {
        const auto last = std::max(begun, reading.editor.last_at.value_or(begun));
        signals.push_back({"editor", reading.editor.alive ? reading.read_at : last});
    }
    signals.push_back(judge_use(memories, record, reading, floor));
    return signals;
}

}  // namespace berth::hostagent
