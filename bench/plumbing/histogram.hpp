// SPDX-License-Identifier: Apache-2.0
// Times in buckets whose width is 1/64 of their size: any time from 1 ns to hours in 16 KB, and no
// percentile more than 1.6 % wrong. A time is counted from when it should have begun: an open loop
// that falls behind shows it (no coordinated omission).
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <nlohmann/json.hpp>

namespace berth::bench {

using Steady = std::chrono::steady_clock;

inline double seconds_since(Steady::time_point begun) { return std::chrono::duration<double>(Steady::now() - begun).count(); }

/// What this thread has computed so far: of a load that is one thread alone, and so is undisturbed by others.
inline double thread_cpu_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

class Histogram {
public:
    void add(Steady::duration took) {
        const auto ns = static_cast<std::uint64_t>(std::max<Steady::rep>(took.count(), 1));
        ++counts_[place_of(ns)];
        ++count_;
        sum_ns_ += static_cast<double>(ns);
        max_ns_ = std::max(max_ns_, ns);
    }
    std::uint64_t count() const { return count_; }
    /// The upper end of the bucket that holds this share of all.
    double us_at(double share) const {
        const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            if ((seen += counts_[i]) > wanted) return std::min(upper_ns(i), static_cast<double>(max_ns_)) / 1e3;
        }
        return static_cast<double>(max_ns_) / 1e3;
    }
    nlohmann::json json() const {
        if (count_ == 0) return {{"count", 0}};
        return {{"count", count_}, {"mean_us", sum_ns_ / static_cast<double>(count_) / 1e3}, {"p50_us", us_at(0.5)},
                {"p90_us", us_at(0.9)}, {"p99_us", us_at(0.99)}, {"p999_us", us_at(0.999)},
                {"max_us", static_cast<double>(max_ns_) / 1e3}};
    }

private:
    static constexpr unsigned bits = 6;   // 64 buckets for each doubling
    static std::size_t place_of(std::uint64_t ns) {
        const auto top = static_cast<unsigned>(std::bit_width(ns));
        if (top <= bits + 1) return ns;
        const auto shift = top - bits - 1;
        return (static_cast<std::size_t>(shift) << bits) + (ns >> shift);
    }
    static double upper_ns(std::size_t place) {
        if (place < (2U << bits)) return static_cast<double>(place);
        const auto shift = (place >> bits) - 1;
        const auto base = (place & ((1U << bits) - 1)) + (1U << bits);
        return static_cast<double>((base + 1) << shift);
    }

    std::array<std::uint64_t, std::size_t{64} << bits> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ns_ = 0;
    double sum_ns_ = 0;
};

}  // namespace berth::bench
