// SPDX-License-Identifier: Apache-2.0
#include "hostagent/load.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <sstream>

#include "os/files.hpp"


namespace berth::hostagent {

namespace {

constexpr Duration cpu_period_min{500};
constexpr std::size_t stat_bytes_max = 4 * 1024 * 1024;   // a line of it has a number per interrupt

double share(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : std::clamp(static_cast<double>(part) / static_cast<double>(whole), 0.0, 1.0);
}

double memory_in_use() {
    const auto text = os::read_file("/proc/meminfo");
    if (!text) return 0;
    std::istringstream lines(*text);
    std::uint64_t total = 0;
    std::uint64_t available = 0;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string name;
        std::uint64_t kilobytes = 0;
        words >> name >> kilobytes;
        if (name == "MemTotal:") total = kilobytes;
        if (name == "MemAvailable:") available = kilobytes;
    }
    return share(total - std::min(available, total), total);
}

double disk_in_use(const std::string& folder) {
    struct statvfs disk {};
    if (::statvfs(folder.c_str(), &disk) != 0) return 0;
    const auto used = disk.f_blocks - disk.f_bfree;
    return share(used, used + disk.f_bavail);
}

}  // namespace

HostLoad LoadReader::read(Instant now) {
    if (now - cpu_at_ >= cpu_period_min) {
        const auto text = os::read_file("/proc/stat", stat_bytes_max);
        std::istringstream words(text.value_or(""));
        std::string name;
        words >> name;
        std::uint64_t ticks = 0;
        std::uint64_t idle = 0;
        std::uint64_t total = 0;
        for (int field = 0; field < 8 && words >> ticks; ++field) {
            total += ticks;
            if (field == 3 || field == 4) idle += ticks;   // idle, and waiting for a disk
        }
        const auto busy = total - idle;
        if (total_ > 0 && total > total_) cpu_ = share(busy - std::min(busy, busy_), total - total_);
        busy_ = busy;
        total_ = total;
        cpu_at_ = now;
    }
    return {.cpu = cpu_, .memory = memory_in_use(), .disk = disk_in_use(disk_)};
}

}  // namespace berth::hostagent
