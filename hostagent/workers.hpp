// SPDX-License-Identifier: Apache-2.0
// A few threads for calls that block: the engine's, and readings of activity. What comes first is
// begun first.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/time.hpp"

namespace berth::hostagent {

/// More can not be under way: each slot has one call, and erasing and reading are bounded.
inline constexpr std::size_t jobs_max = 8'192;
inline constexpr std::uint32_t workers_max = 256;

class Workers {
public:
    explicit Workers(std::uint32_t count);
    ~Workers();                           // what is not begun is dropped; waits for what is
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    void submit(std::function<void()> job);
    /// Nothing more is begun. True when nothing is under way within `patience`.
    bool end(Duration patience);

private:
    void work();

    std::mutex guard_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    std::size_t busy_ = 0;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace berth::hostagent
