// SPDX-License-Identifier: Apache-2.0
// Notes in the host's memory that a link is used. That write waits for the disk, and for whoever else
// writes there, so it has a thread of its own: meanwhile all other connections go on.
#pragma once

#include "proxy/net.hpp"

#include <boost/asio/thread_pool.hpp>
#include <atomic>
#include <cstddef>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"
#include "hostkv/local_kv.hpp"

namespace berth::proxy {

class Links {
public:
    explicit Links(LocalKv& kv) : kv_(kv) {}
    /// Before the executors that wait for it go. Ends the process when a write cannot end: whoever holds
    /// the memory's lock may do so for ever.
    void finish();
    Links(const Links&) = delete;
    Links& operator=(const Links&) = delete;

    /// As LocalKv::use_link. `unavailable` when it takes longer than link_patience; it may be noted even so.
    net::awaitable<Result<bool>> use(net::any_io_executor on, std::string id, std::string holder,
                                     Instant expires_at, Instant now);

private:
    LocalKv& kv_;
    std::atomic<std::size_t> writing_ = 0;
    net::thread_pool writer_{1};
};

}  // namespace berth::proxy
