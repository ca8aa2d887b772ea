// SPDX-License-Identifier: Apache-2.0
#include "scaler/worker.hpp"

#include <utility>

#include "base/check.hpp"
#include "base/diagnostics.hpp"

namespace berth::scaler {

namespace {

constexpr Duration tend_period_usual{1'000};
constexpr std::size_t jobs_max = 4096;    // far above what the core may have open

// Whatever it throws, it may have done what it was told to.
template <class Work>
auto guarded(Work work) -> decltype(work()) {
    try {
        return work();
    } catch (const std::exception& error) {
        return tl::make_unexpected(ProviderError{LaunchFailure::lost, fmt::format("the provider threw: {}", error.what())});
    } catch (...) {
        return tl::make_unexpected(ProviderError{LaunchFailure::lost, "the provider threw something that is no exception"});
    }
}

}  // namespace

Worker::Worker(bus::Loop& loop, std::unique_ptr<Provider> provider, Handlers handlers, Duration tend_period)
    : loop_(loop), provider_(std::move(provider)), handlers_(std::move(handlers)), tend_period_(tend_period) {
    thread_ = std::thread([this] { run(); });
}

Worker::~Worker() {
    stop(Duration{0});
    thread_.join();
}

bool Worker::stop(Duration wait) {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    jobs_.clear();
    changed_.notify_all();
    return changed_.wait_for(lock, wait, [this] { return stopped_; });
}

void Worker::add(Job job) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    check(jobs_.size() < jobs_max, "the core bounds its open calls");
    jobs_.push_back(std::move(job));
    changed_.notify_all();
}

void Worker::call(Call wanted) {
    add([this, wanted = std::move(wanted)](Provider& provider) { do_call(provider, wanted); });
}

void Worker::list() {
    {
        const std::lock_guard lock(mutex_);
        if (listing_) return;
        listing_ = true;
    }
    add([this](Provider& provider) { do_list(provider); });
}

Duration Worker::busy_for() const {
    const std::lock_guard lock(mutex_);
    return began_ ? std::chrono::duration_cast<Duration>(Steady::now() - *began_) : Duration{0};
}

// The first thing that it does is tend(): after a restart of the machine its hosts come back at once.
// Later too it goes before what waits, so that a busy provider still looks after its hosts.
void Worker::run() {
    const Job tend = [](Provider& provider) {
        const auto tended = guarded([&]() -> Provided<void> { return provider.tend(), Provided<void>{}; });
        if (!tended) log_warn("provider.tend_failed", {{"why", tended.error().text}});
    };
    std::unique_lock lock(mutex_);
    auto next_tend = Steady::now();
    while (!stopping_) {
        changed_.wait_until(lock, next_tend, [this] { return stopping_ || !jobs_.empty(); });
        if (stopping_) break;
        Job job = tend;
        if (Steady::now() >= next_tend) {
            next_tend = Steady::now() + tend_period_;
        } else {
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        began_ = Steady::now();
        lock.unlock();
        job(*provider_);
        lock.lock();
        began_.reset();
    }
    stopped_ = true;
    changed_.notify_all();
}

void Worker::do_list(Provider& provider) {
    {
        const std::lock_guard lock(mutex_);
        listing_ = false;                 // whoever asks from here on wants a newer one
    }
    auto listed = guarded([&] { return provider.list(); });
    if (!listed) return log_warn("provider.list_failed", {{"failure", listed.error().failure}, {"why", listed.error().text}});
    auto& [snapshot, report] = *listed;
    if (!report.troubles.empty()) snapshot.troubles = report.troubles;     // for whoever shows them
    if (!report.advice.empty()) snapshot.advice = report.advice;
    loop_.post([this, seen = std::move(*listed)]() mutable {
        if (handlers_.on_report) handlers_.on_report(std::move(seen.report));
        handlers_.on_listing(std::move(seen.snapshot));
    });
}

void Worker::do_call(Provider& provider, const Call& wanted) {
    CallAnswered answered{.call = wanted.id};
    const auto keep = [&](auto outcome, auto& to) {
        if (outcome) to = std::move(*outcome);
        if (!outcome) answered.error = std::move(outcome.error());
    };
    const auto each = [](auto outcomes) { return Provided<decltype(outcomes)>{std::move(outcomes)}; };
    if (const auto* launch = std::get_if<LaunchCall>(&wanted.body)) {
        keep(guarded([&] { return each(provider.launch(launch->launches, launch->pool)); }), answered.launched);
    } else if (const auto* end = std::get_if<TerminateCall>(&wanted.body)) {
        auto outcome = guarded([&] { return provider.terminate(end->instance, end->incarnation); });
        if (!outcome) answered.error = std::move(outcome.error());
    } else if (const auto* protect = std::get_if<ProtectCall>(&wanted.body)) {
        keep(guarded([&] { return each(provider.protect(protect->instances, protect->protection)); }), answered.instances);
    } else if (const auto* start = std::get_if<StartCall>(&wanted.body)) {
        keep(guarded([&] { return each(provider.start(start->instances)); }), answered.instances);
    }
    loop_.post([this, answered = std::move(answered)]() mutable { handlers_.on_answer(std::move(answered)); });
}

OpenProvider on_a_thread(bus::Loop& loop, std::unique_ptr<Provider> provider) {
    const auto held = std::make_shared<std::unique_ptr<Provider>>(std::move(provider));   // a std::function has to be copyable
    return [&loop, held](ProviderCalls::Handlers handlers) -> std::unique_ptr<ProviderCalls> {
        check(*held != nullptr, "a provider is opened once");
        return std::make_unique<Worker>(loop, std::move(*held), std::move(handlers), tend_period_usual);
    };
}

}  // namespace berth::scaler
