// SPDX-License-Identifier: Apache-2.0
#include "base/rng.hpp"

#include <sys/random.h>

#include <vector>

#include "base/check.hpp"
#include "base/hash.hpp"

namespace berth {

namespace {

std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

}  // namespace

Rng::Rng(std::uint64_t seed) : seed_(seed) {
    for (auto& word : state_) {
        word = mix(seed);
        seed += mix_step;
    }
}

// xoshiro256** by Blackman and Vigna.
std::uint64_t Rng::next() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
}

std::uint64_t Rng::below(std::uint64_t bound) {
    check(bound > 0, "Rng::below needs a bound above zero");
    const std::uint64_t unfair = (0 - bound) % bound;
    std::uint64_t draw = next();
    while (draw < unfair) draw = next();
    return draw % bound;
}

bool Rng::chance(double probability) {
    return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
}

Rng Rng::split(std::string_view name) const { return Rng{seed_ ^ hash_of(name)}; }

std::string random_hex(std::size_t bytes) {
    std::vector<unsigned char> raw(bytes);
    std::size_t have = 0;
    while (have < bytes) {
        const auto got = getrandom(raw.data() + have, bytes - have, 0);
        check(got > 0, "the kernel gives random bytes");
        have += static_cast<std::size_t>(got);
    }
    return to_hex({reinterpret_cast<const char*>(raw.data()), raw.size()});
}

}  // namespace berth
