// SPDX-License-Identifier: Apache-2.0
// Chance, passed by reference and seeded once: the same seed gives the same run on every build.
// Streams are split by name, so that a new draw in one never moves another. Not for secrets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace berth {

class Rng {
public:
    explicit Rng(std::uint64_t seed);

    std::uint64_t next();
    std::uint64_t below(std::uint64_t bound);     // uniform in [0, bound); bound > 0
    bool chance(double probability);              // 0 never, 1 always
    Rng split(std::string_view name) const;       // an independent stream of this seed

private:
    std::uint64_t seed_;
    std::uint64_t state_[4];
};

/// Bytes from the kernel, as lower-case hex: keys, boot ids, link ids. Never used by a core.
std::string random_hex(std::size_t bytes);

}  // namespace berth
