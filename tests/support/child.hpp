// SPDX-License-Identifier: Apache-2.0
// One real process of a test, ended by its own pid at the latest when this object goes.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace berth::testing {

class Child {
public:
    /// stdout and stderr go to `log`, appended.
    Child(std::vector<std::string> arguments, const std::string& log);
    ~Child();
    Child(Child&& other) noexcept;
    Child& operator=(Child&& other) noexcept;

    pid_t pid() const { return pid_; }
    const std::string& log() const { return log_; }
    bool alive();
    void signal(int number);
    void kill() { signal(9); wait(Duration{5'000}); }
    /// SIGTERM and its exit status; fails the test when it does not end in time.
    int terminate(Duration within = Duration{5'000});
    /// Exit status, 128 + signal, or nothing when it still runs.
    std::optional<int> wait(Duration within);

private:
    pid_t pid_ = -1;
    std::optional<int> status_;
    std::string log_;
};

/// Looks every 5 ms until it is so; false when it was not so within that time.
bool eventually(const std::function<bool()>& is_so, Duration within = Duration{10'000});

}  // namespace berth::testing
