// SPDX-License-Identifier: Apache-2.0
#include "hostagent/workers.hpp"

#include <utility>

#include "base/check.hpp"

namespace berth::hostagent {

Workers::Workers(std::uint32_t count) {
    check(count > 0 && count <= workers_max, "hostagent.workers is 1 to 256");
    for (std::uint32_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
}

Workers::~Workers() {
    end(Duration{0});
    for (auto& thread : threads_) thread.join();
}

void Workers::submit(std::function<void()> job) {
    {
        const std::lock_guard lock(guard_);
        if (ending_) return;
        check(jobs_.size() < jobs_max, "at most 8,192 engine calls wait");
        jobs_.push_back(std::move(job));
    }
    changed_.notify_all();
}

bool Workers::end(Duration patience) {
    std::unique_lock lock(guard_);
    ending_ = true;
    jobs_.clear();
    changed_.notify_all();
    return changed_.wait_for(lock, patience, [this] { return busy_ == 0; });
}

void Workers::work() {
    std::unique_lock lock(guard_);
    for (;;) {
        changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
        if (ending_) return;
        auto job = std::move(jobs_.front());
        jobs_.pop_front();
        ++busy_;
        lock.unlock();
        job();
        job = {};
        lock.lock();
        --busy_;
        changed_.notify_all();
    }
}

}  // namespace berth::hostagent
