// SPDX-License-Identifier: Apache-2.0
// Who is enrolled, by public key: the keys folder in memory. Read by the ZAP thread at handshakes
// and by the broker's thread for every message, so that a revoked key is refused at once.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "bus/keys.hpp"

namespace berth::broker {

class PeerBook {
public:
    using Peers = std::map<std::string, bus::Peer>;

    static Result<std::unique_ptr<PeerBook>> open(const std::string& keys_dir);

    std::shared_ptr<const Peers> peers() const;
    std::optional<bus::Peer> find(const std::string& public_key) const;

    /// Shut out from listening until then, though enrolled.
    void bar(const std::string& public_key, Instant until);
    bool is_barred(const std::string& public_key, Instant now) const;

    /// Reads the folder again when it changed. Gives the peers that are gone or have another key or
    /// role. An error leaves what was known.
    Result<std::vector<bus::Peer>> refresh();

private:
    explicit PeerBook(std::string dir) : dir_(std::move(dir)) {}

    std::string dir_;
    mutable std::mutex guard_;
    std::shared_ptr<const Peers> peers_;   // under guard_
    std::map<std::string, Instant> barred_;   // under guard_; at most one entry for each peer
    std::mutex reading_;
    std::int64_t changed_ns_ = -1;         // under reading_
    std::vector<bus::Peer> gone_;          // under reading_: found by one thread, told to the other
};

}  // namespace berth::broker
