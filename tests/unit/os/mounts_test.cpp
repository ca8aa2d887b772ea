// SPDX-License-Identifier: Apache-2.0
#include "os/mounts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "tests/support/folder.hpp"

namespace berth::os {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Folder;

TEST(Mounts, are_read_with_what_the_kernel_escapes) {   // field report 7
    EXPECT_THAT(mount_points("36 35 98:0 /a\\040b /mnt/my\\040state/home rw,noatime master:1 - ext3 /dev/root rw\n"
                             "37 35 0:5 / /mnt/tab\\011line\\012back\\134slash rw - tmpfs tmpfs rw\n"
                             "38 35 0:6 / /plain\\08x rw - tmpfs tmpfs rw\n"),
                ElementsAre("/mnt/my state/home", "/mnt/tab\tline\nback\\slash", "/plain\\08x"));
    EXPECT_THAT(mount_points(""), IsEmpty());
    EXPECT_THAT(mount_points("36 35 98:0\n\n"), IsEmpty());
}

/// Runs `test` in a mount namespace of its own; its text says what failed.
std::string in_own_namespace(const std::function<std::string()>& test) {
    int ends[2];
    if (::pipe(ends) != 0) return "no pipe";
    const auto child = ::fork();
    if (child == 0) {
        std::string said;
        if (::unshare(CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER)) != 0) {
            said = std::string{"unshare: "} + std::strerror(errno);
        } else if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
            said = std::string{"private: "} + std::strerror(errno);
        } else {
            said = test();
        }
        ::_exit(::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
    }
    ::close(ends[1]);
    std::string said(4096, '\0');
    const auto got = ::read(ends[0], said.data(), said.size());
    said.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    return status == 0 ? said : said + " (the child died)";
}

TEST(Mounts, are_found_and_taken_away_below_a_folder_with_a_blank) {   // field report 7
    Folder folder;
    const auto said = in_own_namespace([&]() -> std::string {
        const auto state = folder / "my state";
        ::mkdir(state.c_str(), 0700);
        ::mkdir((state + "/home").c_str(), 0700);
        if (::mount("tmpfs", (state + "/home").c_str(), "tmpfs", 0, "size=1m") != 0) return std::string{"mount: "} + std::strerror(errno);
        if (::mount("tmpfs", (state + "/home").c_str(), "tmpfs", 0, "size=1m") != 0) return "mount again";
        ::mkdir((state + "/home/in").c_str(), 0700);
        if (::mount("tmpfs", (state + "/home/in").c_str(), "tmpfs", 0, "size=1m") != 0) return "mount inside";
        const auto below = mounts_below(state);
        if (!below) return below.error().text;
        if (below->size() != 3 || below->front() != state + "/home/in") return "found: " + std::to_string(below->size());
        if (!mounts_below(folder / "my").value().empty()) return "a name that begins alike is no folder above";
        for (const auto& point : *below) {
            if (const auto gone = unmount(point); !gone) return gone.error().text;
        }
        if (is_mount_point(state + "/home").value()) return "still mounted";
        const auto none = unmount(state + "/home");
        return none ? "" : none.error().text;
    });
    EXPECT_EQ(said, "");
}

}  // namespace
}  // namespace berth::os
