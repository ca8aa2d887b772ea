// SPDX-License-Identifier: Apache-2.0
// What the processes of this machine say of themselves on <state>/run/*.sock (shell/inside.hpp), gathered from a thread of its
// own for the gateway's /metrics.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/time.hpp"

namespace berth::gateway {

class InsideWatch {
public:
    /// `tell` is called on this thread, with all of their metrics as text.
    using Tell = std::function<void(std::string text)>;
    InsideWatch(std::string state, Duration period, Tell tell);
    ~InsideWatch();
    InsideWatch(const InsideWatch&) = delete;
    InsideWatch& operator=(const InsideWatch&) = delete;

private:
    void run();

    const std::string state_;
    const Duration period_;
    const Tell tell_;
    std::mutex guard_;
    std::condition_variable changed_;
    bool ending_ = false;                 // under guard_
    std::thread thread_;
};

}  // namespace berth::gateway
