// SPDX-License-Identifier: Apache-2.0
// One provider on a thread of its own, since its calls block: what is asked is done in order, and
// each outcome comes back on the loop's thread. What a provider throws is an outcome like any other:
// a call of which nobody knows what became of it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "bus/loop.hpp"
#include "scaler/step.hpp"

namespace berth::scaler {

class Worker {
public:
    struct Handlers {                     // called on the loop's thread
        std::function<void(ProviderSnapshot)> on_listing;
        std::function<void(CallAnswered)> on_answer;
    };
    Worker(bus::Loop& loop, std::unique_ptr<Provider> provider, Handlers handlers, Duration tend_period);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// At most as many as the core has open at once ([scaler] calls_open_max).
    void call(Call wanted);
    /// Soon; one that is under way or waits already is enough.
    void list();
    /// Takes nothing more. False when a call is still under way after that time: then only the end
    /// of the process ends it, which every provider must bear.
    bool stop(Duration wait);
    /// How long the provider has been busy with one and the same thing.
    Duration busy_for() const;

private:
    using Job = std::function<void(Provider&)>;
    using Steady = std::chrono::steady_clock;
    void run();
    void add(Job job);
    void do_list(Provider& provider);
    void do_call(Provider& provider, const Call& wanted);

    bus::Loop& loop_;
    std::unique_ptr<Provider> provider_;
    Handlers handlers_;
    Duration tend_period_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    bool listing_ = false;                // one is in jobs_
    bool stopping_ = false;
    bool stopped_ = false;
    std::optional<Steady::time_point> began_;   // the job that is under way
    std::thread thread_;
};

}  // namespace berth::scaler
