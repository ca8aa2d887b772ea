// SPDX-License-Identifier: Apache-2.0
#include "cli/up/processes.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "cli/text.hpp"
#include "os/process.hpp"

namespace berth::cli {

bool is_alive(pid_t pid) { return os::mark_of(pid).has_value(); }

std::optional<pid_t> running_pid(const std::string& file, const std::string& program) {
    const auto mark = os::read_mark(file);
    if (!mark || !os::runs(*mark) || os::program_of(mark->pid) != program) return std::nullopt;
    return mark->pid;
}

std::vector<pid_t> descendants_of(pid_t pid) {
    std::map<pid_t, std::vector<pid_t>> children;
    for (const auto one : os::all_processes()) {
        if (const auto facts = os::facts_of(one); facts && facts->state != 'Z') children[facts->parent].push_back(one);
    }
    std::vector<pid_t> found = children[pid];
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto& more = children[found[i]];
        found.insert(found.end(), more.begin(), more.end());
    }
    return found;
}

std::vector<pid_t> running_here(const std::string& program) {
    std::error_code error;
    const auto network = std::filesystem::read_symlink("/proc/self/ns/net", error);
    std::vector<pid_t> found;
    for (const auto pid : os::all_processes()) {
        if (os::program_of(pid) != program || !is_alive(pid)) continue;
        std::error_code gone;
        if (std::filesystem::read_symlink(fmt::format("/proc/{}/ns/net", pid), gone) == network) found.push_back(pid);
    }
    return found;
}

std::vector<std::string> last_lines(const std::string& path, std::size_t count, std::uint64_t from) {
    constexpr std::streamoff window = 64 * 1024;
    std::ifstream file(path);
    file.seekg(0, std::ios::end);
    const auto size = static_cast<std::streamoff>(file.tellg());
    const auto first = size < static_cast<std::streamoff>(from) ? 0 : static_cast<std::streamoff>(from);  // it was cut meanwhile
    if (size <= first) return {};
    file.seekg(std::max(first, size - window));
    std::vector<std::string> lines;
    std::string line;
    while (std::getline(file, line)) {
        if (!line.empty()) lines.push_back(printable(line.substr(0, 400)));
    }
    if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
    return lines;
}

}  // namespace berth::cli
