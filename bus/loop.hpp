// SPDX-License-Identifier: Apache-2.0
// The run loop of a process: ZeroMQ sockets, file descriptors, timers and work posted from other
// threads, all handled on the one thread that calls run(). Everything here is for that thread only,
// except post() and stop().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace berth::bus {

using TimerId = std::uint64_t;

class Loop {
public:
    explicit Loop(const Clock& clock);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run();                                        // until stop()
    void stop();                                       // from any thread
    void post(std::function<void()> work);             // from any thread; bounded at 65,536, then aborts
    Instant now() const;

    TimerId after(Duration delay, std::function<void()> work);
    TimerId every(Duration period, std::function<void()> work);   // first call after one period
    void cancel(TimerId id);                           // unknown or past: nothing happens

    void watch(int fd, std::function<void()> readable);
    void unwatch(int fd);
    /// `drain` is called when the socket may be readable and must take what it wants to take (at
    /// most 512 messages a call) and return whether more may be waiting. The pointer is zmq's own.
    void watch_socket(void* socket, std::function<bool()> drain);
    void unwatch_socket(void* socket);

    /// Called after each round of deliveries, before the loop waits again: the place for a group
    /// commit. Only one; set before run().
    void after_each_round(std::function<void()> work);

    /// SIGTERM and SIGINT call `work` once each time they come (default: stop()). Blocks both
    /// signals in the calling thread: call before any other thread starts.
    void on_termination(std::function<void()> work);

private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

}  // namespace berth::bus
