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
#include "scaler/provider.hpp"
#include "scaler/provider_calls.hpp"

namespace berth::scaler {

class Worker final : public ProviderCalls {
public:
    Worker(bus::Loop& loop, std::unique_ptr<Provider> provider, Handlers handlers, Duration tend_period);
    ~Worker() override;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void call(Call wanted) override;
    void list() override;
    bool stop(Duration wait) override;
    Duration busy_for() const override;

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

/// A worker of this loop around the provider.
OpenProvider on_a_thread(bus::Loop& loop, std::unique_ptr<Provider> provider);

}  // namespace berth::scaler
