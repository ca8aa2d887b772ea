// SPDX-License-Identifier: Apache-2.0
// Room kept for hard times (F14): a file that is deleted when the disk is full, so that releases can
// still be written while new claims are refused. It comes back when there is room for it again.
#pragma once

#include <cstdint>
#include <string>

namespace berth::allocator {

class Ballast {
public:
    Ballast(std::string path, std::uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}

    bool is_there() const;
    /// Makes it when the disk would still have twice its size free.
    void restore();
    /// True when there was something to drop.
    bool drop();
    /// Less free than the ballast holds.
    bool disk_is_low() const;

private:
    std::uint64_t free_bytes() const;
    std::string path_;
    std::uint64_t bytes_;
};

}  // namespace berth::allocator
