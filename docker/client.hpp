// SPDX-License-Identifier: Apache-2.0
// The Docker Engine API over its unix socket, by libcurl: one call, one answer, one deadline. Works
// with dockerd and with podman's socket. Knows nothing of slots or workspaces.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace berth::docker {

struct Answer {
    long status = 0;
    std::string body;
};

class Client {
public:
    explicit Client(std::string socket) : socket_(std::move(socket)) {}

    /// `path` begins after the version: "/containers/json?all=1". Any HTTP status is an answer; no
    /// answer within the deadline is ErrorKind::timeout, no engine ErrorKind::unavailable.
    Result<Answer> call(std::string_view method, const std::string& path, const std::string& json, Duration deadline) const;
    /// The same with the content of a file as body.
    Result<Answer> upload(const std::string& path, const std::string& file, Duration deadline) const;

    static std::string escape(std::string_view text);   // for one query value
    const std::string& socket() const { return socket_; }

private:
    std::string socket_;
};

}  // namespace berth::docker
