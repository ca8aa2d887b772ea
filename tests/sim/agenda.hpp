// SPDX-License-Identifier: Apache-2.0
// What the world still has to do: by time, and at one instant in the order of planning. Nearly all of
// it lies within a minute, so a ring has one list for each millisecond: to add and to take is cheap
// however much there is. What lies further ahead waits in a map for the ring to come near.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace berth::sim {

struct Task {
    Instant at;
    std::uint64_t order = 0;              // of planning; kept when it is put off
    std::string process;
    std::function<void()> work;
};

class Agenda {
public:
    Agenda();

    /// Never earlier than what was taken last.
    void add(Task task);
    /// The next one, unless it lies after `until`.
    std::optional<Task> take(Instant until);

private:
    static constexpr std::size_t ring_size = 1U << 16U;   // milliseconds
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    struct Place {                        // a task and the next one of its list
        Task task;
        std::uint32_t next = none;
    };
    struct List {
        std::uint32_t first = none;
        std::uint32_t last = none;
        std::uint64_t last_order = 0;
    };

    std::size_t slot_of(Instant at) const { return static_cast<std::uint64_t>(at.time_since_epoch().count()) % ring_size; }
    std::uint32_t place(Task task);
    void link(List& list, std::uint32_t index);
    void link_near(std::uint32_t index);
    std::optional<Instant> first_near() const;

    Instant now_;                         // the ring holds what lies less than its size after this
    std::vector<List> ring_;
    std::vector<std::uint64_t> used_;     // one bit for each list of the ring that is not empty
    std::map<Instant, List> later_;
    std::vector<Place> places_;
    std::vector<std::uint32_t> free_;
};

}  // namespace berth::sim
