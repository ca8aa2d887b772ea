// SPDX-License-Identifier: Apache-2.0
#include "bus/zmq_loop.hpp"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
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
constexpr std::size_t passes_max = 8;             // over the sockets, before a round ends
constexpr int ready_max = 64;                      // descriptors that one wait tells of; the others are told next
constexpr Duration wait_max{60'000};

int socket_fd(void* socket) {
    int fd = -1;
    std::size_t size = sizeof fd;
    check(zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0, "a socket has a descriptor");
    return fd;
}

// libzmq takes note of what came while it sends, and its descriptor then says nothing more of it: so a
// socket is asked itself before anyone waits for its descriptor.
bool has_input(void* socket) {
    int events = 0;
    std::size_t size = sizeof events;
    check(zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0, "the sockets of a loop are open while it watches them");
    return (events & ZMQ_POLLIN) != 0;
}

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
        int fd = -1;                     // its own, or libzmq's of the socket
        bool ready = false;
        bool gone = false;
    };
    using Due = std::pair<Instant, TimerId>;

    explicit Inside(const Clock& from)
        : clock(from), polled(::epoll_create1(EPOLL_CLOEXEC)), wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        check(polled >= 0 && wake >= 0, "an epoll and an eventfd can be had");
        poll(wake, &wake);
    }
    ~Inside() {
        ::close(polled);
        ::close(wake);
        if (signals >= 0) ::close(signals);
    }

    const Clock& clock;
    int polled = -1;
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
    std::vector<std::pair<const void*, std::function<void()>>> waits;

    void poll(int fd, void* what) const {
        epoll_event event{.events = EPOLLIN, .data = {.ptr = what}};
        check(::epoll_ctl(polled, EPOLL_CTL_ADD, fd, &event) == 0, "a descriptor is watched once, while it is open");
    }
    void add(std::shared_ptr<Watched> one) {
        poll(one->fd, one.get());
        watched.push_back(std::move(one));
    }
    // At once: its owner closes it next, and the number may then be another's.
    void drop(const Watched& which) {
        for (auto& one : watched) {
            if (one.get() != &which || one->gone) continue;
            one->gone = true;
            ::epoll_ctl(polled, EPOLL_CTL_DEL, one->fd, nullptr);
        }
    }

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

    void leave_together() {
        for (std::size_t i = 0; i < waits.size(); ++i) waits[i].second();
    }

    bool any_ready() {
        bool any = false;
        for (const auto& one : watched) {
            if (one->gone) continue;
            if (!one->ready && one->socket != nullptr) one->ready = has_input(one->socket);
            any = any || one->ready;
        }
        return any;
    }

    void wait(bool busy) {
        std::array<epoll_event, ready_max> events;
        const auto timeout = any_ready() ? 0 : wait_time(busy);
        const auto count = ::epoll_wait(polled, events.data(), ready_max, static_cast<int>(timeout));
        check(count >= 0 || errno == EINTR, "what a loop watches is open while it watches it");
        for (int i = 0; i < count; ++i) {
            auto* const what = events[static_cast<std::size_t>(i)].data.ptr;
            if (what == &wake) {
                std::uint64_t knocks = 0;
                [[maybe_unused]] const auto size = ::read(wake, &knocks, sizeof knocks);
            } else if (what == &signals) {
                read_signals();
            } else {
                static_cast<Watched*>(what)->ready = true;
            }
        }
    }

    // Everything that came, as far as the bounds go, before the round ends: so that one end serves many.
    // True when there may be more.
    bool take_input() {
        bool more = true;
        for (std::size_t pass = 0; more && pass < passes_max; ++pass) {
            more = false;
            for (const auto seen = watched; const auto& one : seen) {
                if (one->gone || !one->ready) continue;
                if (one->drain) {
                    one->ready = one->drain();
                    more = more || one->ready;
                } else {
                    one->ready = false;
                    one->readable();
                }
            }
        }
        return more;
    }

    // One wait and what it brought. True when there is more to do at once.
    bool round(bool busy) {
        forget_gone();
        leave_together();
        wait(busy);
        bool more = run_timers();
        more = run_posted() || more;
        more = take_input() || more;
        if (round_end) round_end();
        return more;
    }
};

ZmqLoop::ZmqLoop(const Clock& clock) : inside_(std::make_unique<Inside>(clock)) {}
ZmqLoop::~ZmqLoop() = default;

void ZmqLoop::run() {
    bool busy = false;
    while (!inside_->stopping) busy = inside_->round(busy);
    inside_->leave_together();
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
    inside_->add(std::move(one));
}

void ZmqLoop::unwatch(int fd) {
    for (const auto& one : inside_->watched) {
        if (one->socket == nullptr && one->fd == fd) inside_->drop(*one);
    }
}

void ZmqLoop::watch_socket(void* socket, std::function<bool()> drain) {
    auto one = std::make_shared<Inside::Watched>();
    one->socket = socket;
    one->fd = socket_fd(socket);
    one->drain = std::move(drain);
    one->ready = true;  // something may have come before anyone watched
    inside_->add(std::move(one));
}

void ZmqLoop::unwatch_socket(void* socket) {
    for (const auto& one : inside_->watched) {
        if (one->socket == socket) inside_->drop(*one);
    }
}

void ZmqLoop::before_each_wait(const void* owner, std::function<void()> work) { inside_->waits.emplace_back(owner, std::move(work)); }

void ZmqLoop::forget_waits_of(const void* owner) {
    std::erase_if(inside_->waits, [owner](const auto& one) { return one.first == owner; });
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
    inside_->poll(inside_->signals, &inside_->signals);
}

}  // namespace berth::bus
