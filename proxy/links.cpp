// SPDX-License-Identifier: Apache-2.0
#include "proxy/links.hpp"

#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>

#include "base/diagnostics.hpp"
#include "proxy/policy.hpp"

namespace berth::proxy {

namespace {

constexpr int last_looks = 20;
constexpr Duration last_look_every{10};

struct Waiting {
    explicit Waiting(const net::any_io_executor& on) : written(on) {}
    net::steady_timer written;              // cancelled when there is an outcome
    std::optional<Result<bool>> outcome;
};

}  // namespace

void Links::finish() {
    for (int i = 0; i < last_looks && writing_ > 0; ++i) std::this_thread::sleep_for(last_look_every);
    if (writing_ == 0) return writer_.join();
    log_warn("memory.locked", {{"links", writing_.load()}});
    std::_Exit(1);
}

net::awaitable<Result<bool>> Links::use(net::any_io_executor on, std::string id, std::string holder,
                                        Instant expires_at, Instant now) {
    if (writing_ >= links_waiting_max) {
        co_return fail(ErrorKind::unavailable, "{} links wait to be noted as used", links_waiting_max);
    }
    const auto waiting = std::make_shared<Waiting>(on);
    ++writing_;
    net::post(writer_, [this, waiting, id = std::move(id), holder = std::move(holder), expires_at, now] {
        auto outcome = kv_.use_link(id, holder, expires_at, now);
        --writing_;
        net::post(waiting->written.get_executor(), [waiting, outcome = std::move(outcome)]() mutable {
            waiting->outcome = std::move(outcome);
            waiting->written.cancel();
        });
    });
    ErrorCode cancelled;
    waiting->written.expires_after(link_patience);
    co_await waiting->written.async_wait(net::redirect_error(net::use_awaitable, cancelled));
    if (!waiting->outcome) {
        co_return fail(ErrorKind::unavailable, "the host's memory is locked for {} ms",
                       link_patience.count());
    }
    co_return std::move(*waiting->outcome);
}

}  // namespace berth::proxy
