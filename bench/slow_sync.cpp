// SPDX-License-Identifier: Apache-2.0
// A disk whose every sync takes longer: LD_PRELOAD for the allocator and for Redis alike, so that a bench shows
// what a slow disk does to a claim. BENCH_SYNC_US: microseconds more for each fsync and fdatasync (1,000).
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

namespace {

void wait_more() {
    const char* told = std::getenv("BENCH_SYNC_US");
    const long us = told != nullptr ? std::atol(told) : 1'000;
    timespec rest{.tv_sec = us / 1'000'000, .tv_nsec = us % 1'000'000 * 1'000};
    while (::nanosleep(&rest, &rest) != 0) {
    }
}

int after_waiting(const char* name, int fd) {
    wait_more();
    return reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, name))(fd);
}

}  // namespace

extern "C" int fsync(int fd) { return after_waiting("fsync", fd); }
extern "C" int fdatasync(int fd) { return after_waiting("fdatasync", fd); }
