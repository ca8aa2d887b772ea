// SPDX-License-Identifier: Apache-2.0
// The loop of a real process: ZeroMQ sockets, file descriptors, timers, signals and work posted from
// other threads, all handled on the one thread that calls run().
#pragma once

#include <memory>

#include "base/clock.hpp"
#include "bus/loop.hpp"

namespace berth::bus {

class ZmqLoop final : public Loop {
public:
    explicit ZmqLoop(const Clock& clock);
    ~ZmqLoop() override;
    ZmqLoop(const ZmqLoop&) = delete;
    ZmqLoop& operator=(const ZmqLoop&) = delete;

    void run();                                        // until stop()

    Instant now() const override;
    TimerId after(Duration delay, std::function<void()> work) override;
    TimerId every(Duration period, std::function<void()> work) override;
    void cancel(TimerId id) override;
    void post(std::function<void()> work) override;
    void after_each_round(std::function<void()> work) override;
    void stop() override;

    void watch(int fd, std::function<void()> readable);
    void unwatch(int fd);
    /// `drain` is called when the socket may be readable and must take what it wants to take (at
    /// most 512 messages a call) and return whether more may be waiting. The pointer is zmq's own.
    void watch_socket(void* socket, std::function<bool()> drain);
    void unwatch_socket(void* socket);
    /// Called before each wait, and when run() ends: what was gathered during the round leaves together.
    void before_each_wait(const void* owner, std::function<void()> work);
    void forget_waits_of(const void* owner);

    /// SIGTERM and SIGINT call `work` once each time they come (default: stop()). Blocks both
    /// signals in the calling thread: call before any other thread starts.
    void on_termination(std::function<void()> work);

private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

}  // namespace berth::bus
