// SPDX-License-Identifier: Apache-2.0
// Who subscribes without end. libzmq 4.3.4 keeps some 7 KB for each subscription and has no bound of its
// own, so a peer that asks for more than any program needs is found by counting, and shut out.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/time.hpp"

namespace berth::broker {

class FloodWatch {
public:
    static constexpr std::uint32_t subscriptions_max = 16'384;   // of one peer
    static constexpr Duration window{60'000};                    // in this time
    static constexpr std::size_t peers_max = 65'536;

    /// One more subscription of this peer. True when it is one too many.
    bool note(const std::string& peer, Instant now) {
        if (now - begun_ >= window || counts_.size() >= peers_max) {
            counts_.clear();
            begun_ = now;
        }
        return ++counts_[peer] > subscriptions_max;
    }
    void forget(const std::string& peer) { counts_.erase(peer); }

private:
    Instant begun_;
    std::map<std::string, std::uint32_t> counts_;
};

}  // namespace berth::broker
