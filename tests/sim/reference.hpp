// SPDX-License-Identifier: Apache-2.0
// An allocator that is obviously right, and slow: plain rows, looked through from the beginning each
// time. It knows no messages, failures or time; its hosts start and stop at once. In a world without
// faults the real one must answer every operation as this one does.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace berth::sim {

class Reference {
public:
    struct Answer {
        std::optional<ErrorKind> refused;
        std::string owner;                // of a grant: "user/project"
        std::uint64_t lease = 0;          // which of all leases; the same number means the same lease
        std::uint32_t count = 0;          // of a release, an extension
        friend bool operator==(const Answer&, const Answer&) = default;
    };

    void add_host(const std::string& name, std::uint32_t slots) { hosts_[name].assign(slots, 0); }
    void close_host(const std::string& name) { closed_.insert(name); }
    void open_host(const std::string& name) { closed_.erase(name); }

    /// A claim that does not wait. Any open host with room is a right one, so that of the real answer
    /// is taken, if it is.
    Answer claim(const std::string& principal, const std::string& key, const std::string& owner, const std::string& placed_on);
    Answer release(const std::string& owner);
    /// Frees all leases on it, and the host is no more.
    void end_host(const std::string& name);
    std::uint32_t free_slots() const;
    std::uint32_t leases() const;

private:
    struct Lease {
        std::uint64_t number = 0;
        std::string owner;
        std::string host;
        bool active = true;
    };
    Lease* active_of(const std::string& owner);

    std::map<std::string, std::vector<std::uint64_t>> hosts_;      // slot → lease number, 0 free
    std::set<std::string> closed_;
    std::vector<Lease> leases_;
    std::set<std::string> known_;                                  // owners that ever had a workspace
    std::map<std::pair<std::string, std::string>, std::pair<std::string, Answer>> keys_;
};

}  // namespace berth::sim
