// SPDX-License-Identifier: Apache-2.0
#include "bus/zmq_loop.hpp"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.hpp"

namespace berth::bus {

namespace {

constexpr std::size_t posted_max = 65'536;
constexpr std::size_t timers_per_round_max = 4'096;
constexpr std::size_t posted_per_round_max = 512;
constexpr Duration wait_max{60'000};

}  // namespace

struct ZmqLoop::Inside {
    struct Timer {
        std::optional<Duration> period;
        std::function<void()> work;
    };
    struct Watched {
        std::function<bool()> drain;     // of a socket
        std::function<void()> readable;  // of a file descriptor
        void* socket = nullptr;
        int fd = -1;
        bool more = false;
        bool gone = false;
    };
    using Due = std::pair<Instant, TimerId>;

    explicit Inside(const Clock& from) : clock(from), wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        check(wake >= 0, "an eventfd can be had");
    }
    ~Inside() {
        ::close(wake);
        if (signals >= 0) ::close(signals);
    }

    const Clock& clock;
    int wake = -1;
    int signals = -1;
    std::function<void()> terminate;
    std::atomic<bool> stopping{false};
    std::mutex guard;
    std::deque<std::function<void()>> posted;  // under guard
    std::map<Due, Timer> timers;
    std::map<TimerId, Due> dues;
    TimerId next_timer = 1;
    std::vector<std::shared_ptr<Watched>> watched;
    std::function<void()> round_end;

    void knock() const {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto size = ::write(wake, &one, sizeof one);  // full means awake already
    }

    TimerId add_timer(Instant at, Timer timer, TimerId id) {
        timers.emplace(Due{at, id}, std::move(timer));
        dues[id] = Due{at, id};
        return id;
    }

    bool run_timers() {
        const auto now = clock.now();
        for (std::size_t i = 0; i < timers_per_round_max; ++i) {
            if (timers.empty() || timers.begin()->first.first > now) return false;
            auto taken = timers.extract(timers.begin());
            const auto [at, id] = taken.key();
            auto work = taken.mapped().work;
            if (const auto period = taken.mapped().period) {
                // One that fell behind skips what it missed and keeps its beat.
                add_timer(std::max(at + *period, now + Duration{1}), std::move(taken.mapped()), id);
            } else {
                dues.erase(id);
            }
            work();
        }
        return true;
    }

    bool run_posted() {
        std::deque<std::function<void()>> batch;
        bool more = false;
        {
            const std::lock_guard lock(guard);
            while (!posted.empty() && batch.size() < posted_per_round_max) {
                batch.push_back(std::move(posted.front()));
                posted.pop_front();
            }
            more = !posted.empty();
        }
        for (auto& work : batch) work();
        return more;
    }

    void read_signals() {
        signalfd_siginfo info{};
        while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) terminate();
    }

    long wait_time(bool busy) const {
        if (busy || stopping) return 0;
        if (timers.empty()) return wait_max.count();
        const auto left = timers.begin()->first.first - clock.now();
        return std::clamp(left, Duration{0}, wait_max).count();
    }

    void forget_gone() {
        std::erase_if(watched, [](const auto& one) { return one->gone; });
    }

    // One wait and what it brought. True when there is more to do at once.
    bool round(bool busy) {
        forget_gone();
        std::vector<zmq_pollitem_t> items{{nullptr, wake, ZMQ_POLLIN, 0}};
        if (signals >= 0) items.push_back({nullptr, signals, ZMQ_POLLIN, 0});
        const auto first = items.size();
        const auto seen = watched;
        for (const auto& one : seen) {
            busy = busy || one->more;
            items.push_back({one->socket, one->fd, ZMQ_POLLIN, 0});
        }
        const auto ready = zmq_poll(items.data(), static_cast<int>(items.size()), wait_time(busy));
        check(ready >= 0 || errno == EINTR, "the sockets of a loop are open while it watches them");
        if (items[0].revents != 0) {
            std::uint64_t count = 0;
            [[maybe_unused]] const auto size = ::read(wake, &count, sizeof count);
        }
        if (signals >= 0 && items[1].revents != 0) read_signals();
        bool more = run_timers();
        more = run_posted() || more;
        for (std::size_t i = 0; i < seen.size(); ++i) {
            auto& one = *seen[i];
            if (one.gone || (items[first + i].revents == 0 && !one.more)) continue;
            if (one.drain) {
                one.more = one.drain();
                more = more || one.more;
            } else {
                one.readable();
            }
        }
        if (round_end) round_end();
        return more;
    }
};

ZmqLoop::ZmqLoop(const Clock& clock) : inside_(std::make_unique<Inside>(clock)) {}
ZmqLoop::~ZmqLoop() = default;

void ZmqLoop::run() {
    bool busy = false;
    while (!inside_->stopping) busy = inside_->round(busy);
    inside_->stopping = false;
}

void ZmqLoop::stop() {
    inside_->stopping = true;
    inside_->knock();
}

void ZmqLoop::post(std::function<void()> work) {
    {
        const std::lock_guard lock(inside_->guard);
        check(inside_->posted.size() < posted_max, "at most 65,536 pieces of work wait for a loop");
        inside_->posted.push_back(std::move(work));
    }
    inside_->knock();
}

Instant ZmqLoop::now() const { return inside_->clock.now(); }

TimerId ZmqLoop::after(Duration delay, std::function<void()> work) {
    return inside_->add_timer(now() + std::max(delay, Duration{0}), {std::nullopt, std::move(work)},
                              inside_->next_timer++);
}

TimerId ZmqLoop::every(Duration period, std::function<void()> work) {
    check(period > Duration{0}, "a period is longer than nothing");
    return inside_->add_timer(now() + period, {period, std::move(work)}, inside_->next_timer++);
}

void ZmqLoop::cancel(TimerId id) {
    const auto found = inside_->dues.find(id);
    if (found == inside_->dues.end()) return;
    inside_->timers.erase(found->second);
    inside_->dues.erase(found);
}

void ZmqLoop::watch(int fd, std::function<void()> readable) {
    auto one = std::make_shared<Inside::Watched>();
    one->fd = fd;
    one->readable = std::move(readable);
    inside_->watched.push_back(std::move(one));
}

void ZmqLoop::unwatch(int fd) {
    for (const auto& one : inside_->watched) {
        if (one->socket == nullptr && one->fd == fd) one->gone = true;
    }
}

void ZmqLoop::watch_socket(void* socket, std::function<bool()> drain) {
    auto one = std::make_shared<Inside::Watched>();
    one->socket = socket;
    one->drain = std::move(drain);
    one->more = true;  // something may have come before anyone watched
    inside_->watched.push_back(std::move(one));
}

void ZmqLoop::unwatch_socket(void* socket) {
    for (const auto& one : inside_->watched) {
        if (one->socket == socket) one->gone = true;
    }
}

void ZmqLoop::after_each_round(std::function<void()> work) { inside_->round_end = std::move(work); }

void ZmqLoop::on_termination(std::function<void()> work) {
    inside_->terminate = work ? std::move(work) : [this] { stop(); };
    if (inside_->signals >= 0) return;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    check(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0, "signals can be blocked");
    inside_->signals = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    check(inside_->signals >= 0, "a signalfd can be had");
}

}  // namespace berth::bus
