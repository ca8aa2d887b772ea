// SPDX-License-Identifier: Apache-2.0
// The simulated world: one thread, one clock, one seed. Actors wrap the real cores; letters between
// them go through the real codec and a network that drops, duplicates, delays, replays and cuts.
// The same seed gives the same run, event by event, on every build.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/sim/agenda.hpp"
#include "tests/sim/faults.hpp"
#include "tests/sim/letter.hpp"

namespace berth::sim {

class Actor {
public:
    virtual ~Actor() = default;
    virtual void receive(const LetterPtr& letter) = 0;
};

/// Who carries letters between the actors: the broker's twin. Without one they go straight from each to each.
class Carrier {
public:
    virtual ~Carrier() = default;
    virtual void connect(const std::string& process, const std::string& address, Actor& actor) = 0;
    virtual void disconnect(const std::string& process, bool noticed) = 0;
    virtual void request(const std::string& process, Letter letter) = 0;
    virtual void publish(const std::string& process, Letter letter, const std::string& host) = 0;
    virtual void reply(Letter letter) = 0;
    virtual void serve(const std::string& process) = 0;
};

/// One way that a message goes: from one process into another.
struct Hop {
    std::string from;
    std::string to;
    int hops = 1;                         // of the whole way, which share its chances and its time
    bool once = false;                    // never doubled or played again
};

/// A fault that was injected: what a schedule is made of, and what the shrinker takes away again.
struct Strike {
    std::uint64_t number = 0;
    Instant at;
    std::string what;
};

BERTH_ENUM(Encoding, real, none)

class World {
public:
    World(std::uint64_t seed, Faults faults, Encoding encoding = Encoding::real);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    const std::uint64_t seed;
    Faults faults;
    const Encoding encoding;
    Instant now{Duration{1'700'000'000'000}};
    std::uint64_t events = 0;
    std::map<std::string, std::uint64_t> counted;      // faults injected and rare branches reached
    Rng stream(std::string_view name) const { return Rng{seed}.split(name); }

    // ---- time and processes
    /// Runs on behalf of `process`, which may be paused: then it runs when the pause ends.
    void after(const std::string& process, Duration delay, std::function<void()> work);
    void run_until(Instant until, const std::function<void()>& each);
    void pause(const std::string& process, Duration time);
    /// What a process takes the time to be: wrong by its skew, fixed when it starts.
    Instant now_of(const std::string& process) const;
    void start_clock(const std::string& process);
    void jump_clock(const std::string& process);
    bool clocks_were_right() const { return !counted.contains("clock_step") && !counted.contains("clock_jump"); }

    // ---- the bus
    /// Who carries from now on; before anyone connects.
    void carry_by(Carrier& carrier) { carrier_ = &carrier; }
    /// A life of a process begins, under an address that others may have, too; it ends.
    void connect(const std::string& process, const std::string& address, Actor& actor);
    void disconnect(const std::string& process, bool noticed = true);
    void subscribe(const std::string& address, const std::string& event);
    using OnReply = std::function<void(Result<Letter>)>;
    /// A body that several letters bear: it is encoded once.
    template <class T>
    Written<T> write(T body) const {
        if (encoding == Encoding::real) return {std::make_shared<const Bytes>(encode(body)), nullptr};
        return {nullptr, std::make_shared<const T>(std::move(body))};
    }
    template <class T>
    void request(const std::string& process, const std::string& from, const std::string& to, T body, Duration timeout,
                 OnReply done) {
        request(process, from, to, write(std::move(body)), timeout, std::move(done));
    }
    template <class T>
    void request(const std::string& process, const std::string& from, const std::string& to, const Written<T>& body,
                 Duration timeout, OnReply done) {
        auto letter = letter_of(from, to, request_name<T>, body);
        letter.kind = LetterKind::request;
        send_request(process, std::move(letter), timeout, std::move(done));
    }
    template <class T>
    void publish(const std::string& from, T body, std::optional<Reason> reason = std::nullopt, const std::string& only_host = {}) {
        publish(from, write(std::move(body)), std::move(reason), only_host);
    }
    template <class T>
    void publish(const std::string& from, const Written<T>& body, std::optional<Reason> reason = std::nullopt, const std::string& only_host = {}) {
        auto letter = letter_of(address_of(from), {}, event_name<T>, body);
        letter.reason = std::move(reason);
        spread(from, std::move(letter), only_host);
    }
    template <class R>
    void reply(const Letter& to, Result<R> body) {
        auto letter = body ? letter_of(to.to, to.from, to.name, write(std::move(*body))) : Letter{.from = to.to, .to = to.from, .name = to.name};
        if (!body) letter.error = body.error();
        letter.kind = LetterKind::reply;
        letter.id = to.id;
        letter.process = to.process;
        letter.tag = to.tag;
        send_reply(std::move(letter));
    }
    // The same for whoever has made the letter: the twin of a process's endpoint.
    std::uint64_t next_id() { return ++last_id_; }
    void send_request(const std::string& process, Letter letter, Duration timeout, OnReply done);
    void send_reply(Letter letter);
    /// An event, to all who listen, and to this one host.
    void spread(const std::string& process, Letter letter, const std::string& only_host);
    /// The process serves requests from now on.
    void serve(const std::string& process);
    /// Takes a message one hop, through everything that befalls the net; what arrives may arrive twice.
    void travel(const Hop& hop, std::function<void()> arrive);
    /// The end of a request, if that process still waits for it; false when not.
    bool answer(const std::string& process, std::uint64_t id, const Result<Letter>& outcome);
    const std::set<std::string>& listeners_of(std::string_view event) const;
    bool is_cut(const std::string& from, const std::string& to) const;
    /// Cuts letters from `from` to `to`; "" is everybody.
    void cut(const std::string& from, const std::string& to, Duration time);

    // ---- faults
    /// Does this fault happen here? Counted and recorded when it does.
    bool strikes(double probability, const char* what, const std::string& whom = {});
    std::uint64_t pick(std::uint64_t bound) { return fault_rng_.below(bound); }
    Duration pick(Duration least, Duration most);
    std::vector<Strike> schedule;
    std::optional<std::set<std::uint64_t>> only;       // strikes that happen: the shrinker's; all of them when absent
    void heal();                                       // ends every fault, now and from now on
    void mark(const std::string& what) { ++counted["reached " + what]; }
    std::vector<std::string> trace;                    // filled when `tracing`
    bool tracing = false;
    std::string running = "world";                     // the role of the process whose round it is
    void note(const std::string& line);

private:
    template <class T>
    Letter letter_of(const std::string& from, const std::string& to, std::string_view name, const Written<T>& body) {
        return {.from = from, .to = to, .name = name, .id = ++last_id_, .data = body.data, .value = body.value};
    }
    std::string address_of(const std::string& process) const;
    void post(Letter letter);
    void deliver(const LetterPtr& letter);

    Rng net_, fault_rng_;
    Agenda agenda_;
    std::uint64_t order_ = 0;
    std::uint64_t last_id_ = 0;
    std::uint64_t last_strike_ = 0;
    Carrier* carrier_ = nullptr;
    std::unordered_map<std::string, std::string> addresses_;           // of processes that are named otherwise; looked up, never walked
    std::unordered_map<std::string, Actor*> actors_;    // by address; looked up, never walked
    std::map<std::string, std::set<std::string>, std::less<>> subscribers_;
    std::map<std::uint64_t, std::pair<std::string, OnReply>> waiting_;
    std::map<std::pair<std::string, std::string>, Instant> cuts_;
    std::map<std::string, Instant> paused_;
    std::map<std::string, Duration> skews_;
};

}  // namespace berth::sim
