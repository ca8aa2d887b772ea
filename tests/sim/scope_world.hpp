// SPDX-License-Identifier: Apache-2.0
// The small world as a whole. A state names its actors and packets by number; what they are, and what
// each does with each packet, is computed once and remembered, because the cores are pure.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/sim/scope.hpp"
#include "tests/sim/scope_actors.hpp"

namespace berth::sim {

using ActorNumber = std::uint32_t;
using PacketNumber = std::uint32_t;

/// What is in flight: by line, each in its order; what is on no line comes first, by number.
class ScopeNet {
public:
    void add(PacketNumber packet, std::uint8_t line);
    PacketNumber remove(std::size_t index);
    PacketNumber operator[](std::size_t index) const { return packets_[index]; }
    std::uint8_t line(std::size_t index) const { return lines_[index]; }
    /// Nothing of its line has to come before it.
    bool may_come(std::size_t index) const { return index == 0 || lines_[index] == 0 || lines_[index - 1] != lines_[index]; }
    std::size_t size() const { return size_; }

private:
    static constexpr std::size_t size_max = 24;
    std::array<PacketNumber, size_max> packets_{};
    std::array<std::uint8_t, size_max> lines_{};
    std::uint8_t size_ = 0;
};

struct ScopeState {
    ActorNumber allocator = 0;
    std::array<ActorNumber, scope_hosts_max> hosts{};
    ScopeNet net;
    std::uint8_t strikes = 0;             // left
    std::uint8_t waits = 0, expired = 0;                  // so often: they are the clock

    Instant now() const { return Instant{Duration{1'700'000'000'000}} + scope_wait * waits + scope_lease * expired; }
};

struct ScopeChoice {
    enum class Kind : std::uint8_t { deliver, deliver_and_die, drop, duplicate, crash, end_host, drain, expire, wait } kind;
    std::uint8_t index = 0;               // of a packet in the net, or the number of a host; 0 is the allocator
};

/// Every distinct value once, by the sketch of it.
template <class T>
class Gallery {
public:
    std::uint32_t number_of(T what);
    const T& at(std::uint32_t number) const { return items_[number].what; }
    struct Likeness {
        std::uint64_t pattern = 0;        // of all but the marks' values: the form, and which ranked marks are the same
        std::vector<Mark> ranked;         // distinct
        std::vector<Mark> others;
        std::vector<Mark> anchors;
    };
    const Likeness& likeness(std::uint32_t number) const { return items_[number].likeness; }
    std::size_t size() const { return items_.size(); }

private:
    struct Item {
        T what;
        Likeness likeness;
    };
    std::deque<Item> items_;
    std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
};

class ScopeWorld {
public:
    explicit ScopeWorld(const ScopeLimits& limits);

    const ScopeState& beginning() const { return beginning_; }
    void choices(const ScopeState& state, std::vector<ScopeChoice>& all);
    ScopeState take(const ScopeState& state, const ScopeChoice& choice);
    /// The same for equal states; cheap.
    std::uint64_t identity(const ScopeState& state) const;
    /// The same for states that nothing can tell apart.
    std::uint64_t fingerprint(const ScopeState& state) const;
    /// The rule that does not hold in this state, or empty.
    std::string broken(const ScopeState& state);
    /// What is still undone when this state, with nothing in flight, is left in peace for a while; or empty.
    std::string unsettled(ScopeState state);
    /// What it came to, in words that bear no positions: claims, leases, containers, hosts.
    std::string result(const ScopeState& state) const;
    std::string name_of(const ScopeState& state, const ScopeChoice& choice) const;
    std::uint64_t actors() const { return allocators_.size() + hosts_.size(); }
    std::uint64_t packets() const { return packets_.size(); }

private:
    struct Remembered {
        ActorNumber after = 0;
        bool durable = false;
        std::vector<PacketNumber> sent;
    };
    const Remembered& outcome(const ScopeState& state, std::uint32_t actor, PacketNumber packet, Death death);
    void befall(ScopeState& state, std::uint32_t actor, Happening what);
    void step(ScopeState& state, std::uint32_t actor, PacketNumber packet, Death death = Death::none);
    void send(ScopeState& state, PacketNumber packet);
    void lose(ScopeState& state, PacketNumber packet);
    void forget_callers(ScopeState& state, std::uint32_t host);
    void forget_orders(ScopeState& state, std::uint32_t host);
    void tell_gone(ScopeState& state, std::uint32_t host);
    void tell(ScopeState& state, std::string name, allocator::Input input);
    void begin_allocator(ScopeState& state);
    const ScopeHost& host(const ScopeState& state, std::uint32_t number) const { return hosts_.at(state.hosts[number - 1]); }

    ScopeLimits limits_;
    ScopeState beginning_;
    Gallery<ScopeAllocator> allocators_;
    Gallery<ScopeHost> hosts_;
    Gallery<Packet> packets_;
    std::unordered_map<std::uint64_t, Remembered> remembered_;
    std::unordered_map<std::uint64_t, std::string> judged_;   // pairs of actors
};

/// Rules about one actor, or two that have to agree.
std::string broken_alone(const ScopeAllocator& allocator);
std::string broken_between(const ScopeAllocator& allocator, const ScopeHost& host);
std::string broken_between(const ScopeHost& one, const ScopeHost& other);
/// What is left to do where nothing is in flight and nothing more will happen.
std::string undone(const ScopeAllocator& allocator, const std::vector<const ScopeHost*>& hosts, Instant now);

}  // namespace berth::sim
