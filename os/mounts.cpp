// SPDX-License-Identifier: Apache-2.0
#include "os/mounts.hpp"

#include <sys/mount.h>

#include <algorithm>
#include <cerrno>

#include "os/files.hpp"

namespace berth::os {

namespace {

constexpr std::size_t table_bytes_max = 32 * 1024 * 1024;
constexpr int point_field = 5;               // of a line of mountinfo, from 1
constexpr int unmounts_max = 64;             // of one path: mounts may lie on each other

bool is_octal(char c) { return c >= '0' && c <= '7'; }

std::string decoded(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
                            is_octal(text[i + 3]);
        if (escape) {
            plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

Result<std::vector<std::string>> all_points() {
    return mount_points(TRY(read_file("/proc/self/mountinfo", table_bytes_max)));
}

}  // namespace

std::vector<std::string> mount_points(std::string_view mountinfo) {
    std::vector<std::string> points;
    while (!mountinfo.empty()) {
        auto line = mountinfo.substr(0, mountinfo.find('\n'));
        mountinfo.remove_prefix(std::min(line.size() + 1, mountinfo.size()));
        for (int field = 1; field < point_field && !line.empty(); ++field) {
            line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
        }
        const auto point = line.substr(0, line.find(' '));
        if (!point.empty()) points.push_back(decoded(point));
    }
    return points;
}

Result<bool> is_mount_point(const std::string& path) {
    const auto points = TRY(all_points());
    return std::find(points.begin(), points.end(), path) != points.end();
}

Result<std::vector<std::string>> mounts_below(const std::string& folder) {
    auto points = TRY(all_points());
    std::erase_if(points, [&](const auto& point) { return !point.starts_with(folder + "/"); });
    std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
    return points;
}

Result<void> unmount(const std::string& path) {
    for (int i = 0; i < unmounts_max && TRY(is_mount_point(path)); ++i) {
        if (::umount2(path.c_str(), UMOUNT_NOFOLLOW) == 0) continue;
        if (errno == EBUSY && ::umount2(path.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) == 0) continue;
        return failed("unmount", path, errno);
    }
    if (TRY(is_mount_point(path))) return fail(ErrorKind::limit, "{} is still mounted after {} tries", path, unmounts_max);
    return {};
}

}  // namespace berth::os
