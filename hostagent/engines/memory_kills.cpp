// SPDX-License-Identifier: Apache-2.0
#include "hostagent/engines/memory_kills.hpp"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "base/clock.hpp"

namespace berth {

namespace {

constexpr int records_per_read_max = 20'000;      // more than the kernel keeps

/// What follows `name=` up to the next comma.
std::string_view value_of(std::string_view text, std::string_view name) {
    const auto at = text.find(name);
    if (at == std::string_view::npos) return {};
    text.remove_prefix(at + name.size());
    return text.substr(0, text.find_first_of(",\n"));
}

}  // namespace

// "6,1234,12933914104,-;oom-kill:constraint=…,task_memcg=/docker/4f…,task=python3,pid=15174,uid=0"
std::optional<MemoryKill> read_kill(std::string_view record) {
    const auto text_at = record.find(';');
    if (text_at == std::string_view::npos) return std::nullopt;
    const auto text = record.substr(text_at + 1);
    if (!text.starts_with("oom-kill:")) return std::nullopt;
    const auto head = record.substr(0, text_at);
    const auto second = head.find(',', head.find(',') + 1);
    if (second == std::string_view::npos) return std::nullopt;
    MemoryKill kill;
    const auto* begin = head.data() + second + 1;
    if (std::from_chars(begin, head.data() + head.size(), kill.at_us).ec != std::errc{}) return std::nullopt;
    kill.cgroup = value_of(text, "task_memcg=");
    kill.program = value_of(text, "task=");
    if (kill.cgroup.empty() || kill.program.empty()) return std::nullopt;
    return kill;
}

MemoryKills::MemoryKills() : log_(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {}

void MemoryKills::read() {
    if (log_.number() < 0) return;
    timespec up{};
    ::clock_gettime(CLOCK_BOOTTIME, &up);
    const auto booted_at = RealClock{}.now() - Duration{up.tv_sec * 1'000 + up.tv_nsec / 1'000'000};
    std::array<char, 8192> record{};
    for (int count = 0; count < records_per_read_max; ++count) {
        const auto size = ::read(log_.number(), record.data(), record.size());
        if (size < 0 && errno == EPIPE) continue;      // records were lost: it goes on with the oldest that is left
        if (size <= 0) return;
        if (const auto kill = read_kill({record.data(), static_cast<std::size_t>(size)})) add(*kill, booted_at);
    }
}

void MemoryKills::add(const MemoryKill& kill, Instant booted_at) {
    if (by_cgroup_.size() >= kills_cgroups_max && !by_cgroup_.contains(kill.cgroup)) {
        by_cgroup_.erase(std::min_element(by_cgroup_.begin(), by_cgroup_.end(),
                                          [](const auto& a, const auto& b) { return a.second.order < b.second.order; }));
    }
    auto& known = by_cgroup_[kill.cgroup];
    ++known.count;
    known.program = kill.program;
    known.at = booted_at + Duration{kill.at_us / 1'000};
    known.order = kill.at_us;
}

const MemoryKills::Count* MemoryKills::of(std::string_view container_id) const {
    if (container_id.empty()) return nullptr;
    for (const auto& [cgroup, count] : by_cgroup_) {
        if (cgroup.find(container_id) != std::string::npos) return &count;
    }
    return nullptr;
}

}  // namespace berth
