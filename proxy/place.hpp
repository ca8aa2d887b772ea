// SPDX-License-Identifier: Apache-2.0
// What the proxy leaves in its host's folder: proxy.pid, locked for as long as it lives, proxy.port,
// which the next life takes up again so that open pages find their way back, and proxy.sessions, when
// each was last used.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/ready_file.hpp"
#include "base/result.hpp"
#include "os/lock.hpp"

namespace berth::proxy {

class Place {
public:
    /// `conflict` when another proxy serves from this folder.
    static Result<std::unique_ptr<Place>> take(const std::string& host_dir);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    std::uint16_t earlier_port() const;              // 0: none
    Result<void> serves_at(std::uint16_t port) const;
    std::string earlier_sessions() const;            // as kept; empty: none
    void keep_sessions(const std::string& text) const;

private:
    Place(std::string dir, os::Lock lock) : dir_(std::move(dir)), lock_(std::move(lock)), ready_(dir_, "proxy") {}

    std::string dir_;
    os::Lock lock_;
    ReadyFile ready_;
};

}  // namespace berth::proxy
