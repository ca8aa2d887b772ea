// SPDX-License-Identifier: Apache-2.0
// The picture in Redis: one hash per entry, <prefix>:<key>, each with a lifetime. One pipeline per write.
#pragma once

#include <memory>

#include "projector/policy.hpp"
#include "projector/sink.hpp"
#include "redis/address.hpp"

namespace berth::projector {

class RedisSink final : public Sink {
public:
    /// invalid: the address is none. Connects with the first call.
    static Result<std::unique_ptr<Sink>> open(const Policy& policy);

    Result<std::vector<std::string>> keys() override;
    Result<void> write(const Write& wanted) override;

private:
    RedisSink(redis::Address address, const Policy& policy);
    Result<void> connect();
    std::string key(const std::string& of) const { return prefix_ + of; }

    redis::Address address_;
    redis::Access access_;
    std::string prefix_;
    std::string lifetime_ms_;
    std::unique_ptr<redis::Connection> connection_;
};

}  // namespace berth::projector
