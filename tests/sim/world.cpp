// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.hpp"

#include <fmt/format.h>

#include "base/diagnostics.hpp"

namespace berth::sim {

namespace {

constexpr std::size_t strikes_kept_max = 200'000;
constexpr Duration replay_least{1'000};
constexpr Duration replay_most{120'000};

// I23: the broker's table, which is the catalog.
void check_allowed(const Letter& letter) {
    if (letter.kind == LetterKind::reply) return;
    const auto* row = letter.kind == LetterKind::request ? find_request_row(letter.name) : find_event_row(letter.name);
    check(row != nullptr, "I23: a letter's name stands in the catalog");
    check(row->senders.has(role_of(letter.from)), "I23: the sender's role may say this");
}

}  // namespace

World::World(std::uint64_t of_seed, Faults of_world, Encoding of_letters)
    : seed(of_seed), faults(of_world), encoding(of_letters), net_(stream("net")), fault_rng_(stream("faults")) {
    divert_diagnostics([this](LogLevel, std::string_view event, std::initializer_list<LogField> fields) {
        mark(fmt::format("{} {}", running, event));
        if (!tracing) return;
        auto line = fmt::format("{} {}", running, event);
        for (const auto& field : fields) line += fmt::format(" {}={}", field.key, field.value);
        note(line);
    });
}

World::~World() { divert_diagnostics(nullptr); }

// ---- time and processes

void World::after(const std::string& process, Duration delay, std::function<void()> work) {
    agenda_.add({now + delay, ++order_, process, std::move(work)});
}

void World::run_until(Instant until, const std::function<void()>& each) {
    while (auto next = agenda_.take(until)) {
        now = std::max(now, next->at);
        if (!paused_.empty()) {
            const auto pause = paused_.find(next->process);
            if (pause != paused_.end() && pause->second > now) {
                next->at = pause->second;            // its order among the frozen stays
                agenda_.add(std::move(*next));
                continue;
            }
        }
        next->work();
        ++events;
        each();
    }
    now = std::max(now, until);
}

void World::pause(const std::string& process, Duration time) { paused_[process] = now + time; }

Instant World::now_of(const std::string& process) const {
    const auto skew = skews_.find(process);
    return skew == skews_.end() ? now : now + skew->second;
}

void World::start_clock(const std::string& process) {
    skews_.erase(process);
    if (!strikes(faults.clock_step, "clock_step", process)) return;
    jump_clock(process);
}

void World::jump_clock(const std::string& process) {
    constexpr std::uint64_t most = 3'600'000;
    skews_[process] = Duration{static_cast<std::int64_t>(pick(2 * most)) - static_cast<std::int64_t>(most)};
}

// ---- the bus

void World::connect(const std::string& process, const std::string& address, Actor& actor) {
    if (process == address) addresses_.erase(process);
    else addresses_[process] = address;
    actors_[address] = &actor;
    if (carrier_) carrier_->connect(process, address, actor);
}

void World::disconnect(const std::string& process, bool noticed) {
    if (carrier_) carrier_->disconnect(process, noticed);
}

std::string World::address_of(const std::string& process) const {
    const auto known = addresses_.find(process);
    return known == addresses_.end() ? process : known->second;
}

void World::subscribe(const std::string& address, const std::string& event) { subscribers_[event].insert(address); }

void World::send_request(const std::string& process, Letter letter, Duration timeout, OnReply done) {
    const auto id = letter.id;
    letter.deadline = now + timeout;
    waiting_.emplace(id, std::pair{process, std::move(done)});
    after(process, timeout, [this, id] {
        auto waiting = waiting_.extract(id);
        if (!waiting.empty()) waiting.mapped().second(fail(ErrorKind::timeout, "{}no answer in time", error_of_bus));
    });
    if (!carrier_) return post(std::move(letter));
    check_allowed(letter);
    carrier_->request(process, std::move(letter));
}

void World::send_reply(Letter letter) {
    if (carrier_) return carrier_->reply(std::move(letter));
    post(std::move(letter));
}

void World::serve(const std::string& process) {
    if (carrier_) carrier_->serve(process);
}

const std::set<std::string>& World::listeners_of(std::string_view event) const {
    static const std::set<std::string> nobody;
    const auto listeners = subscribers_.find(event);
    return listeners == subscribers_.end() ? nobody : listeners->second;
}

void World::spread(const std::string& process, Letter letter, const std::string& only_host) {
    if (carrier_) {
        check_allowed(letter);
        return carrier_->publish(process, std::move(letter), only_host);
    }
    if (!only_host.empty()) {
        letter.to = only_host;
        post(letter);
    }
    for (const auto& to : listeners_of(letter.name)) {
        letter.to = to;
        post(letter);
    }
}

void World::post(Letter letter) {
    check_allowed(letter);
    const Hop hop{.from = letter.from, .to = letter.to};
    travel(hop, [this, sent = std::make_shared<const Letter>(std::move(letter))] { deliver(sent); });
}

void World::travel(const Hop& hop, std::function<void()> arrive) {
    if (is_cut(hop.from, hop.to)) {
        ++counted["cut"];
        return;
    }
    if (strikes(faults.drop / hop.hops, "drop")) return;
    const auto delay = [&] {
        return Duration{static_cast<std::int64_t>(net_.below(static_cast<std::uint64_t>(faults.delay_max.count()) / static_cast<std::uint64_t>(hop.hops) + 1))};
    };
    if (!hop.once && strikes(faults.duplicate / hop.hops, "duplicate")) after({}, delay(), arrive);
    if (!hop.once && strikes(faults.replay_late / hop.hops, "replay_late")) after({}, pick(replay_least, replay_most), arrive);
    after({}, delay(), std::move(arrive));
}

bool World::answer(const std::string& process, std::uint64_t id, const Result<Letter>& outcome) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end() || found->second.first != process) return false;   // too late, or the second one
    auto done = std::move(found->second.second);
    waiting_.erase(found);
    after(process, Duration{0}, [done = std::move(done), outcome] { done(outcome); });
    return true;
}

void World::deliver(const LetterPtr& delivered) {
    const auto& letter = *delivered;
    if (tracing) note(fmt::format("{} → {} {} {} {}", letter.from, letter.to, letter.name, to_string(letter.kind),
                                  letter.error ? letter.error->text : ""));
    if (letter.kind == LetterKind::reply) {
        const auto waiting = waiting_.find(letter.id);
        if (waiting != waiting_.end()) answer(waiting->second.first, letter.id, letter.error ? Result<Letter>{fail(*letter.error)} : letter);
        return;
    }
    // The broker passes nothing on after its deadline. That alone keeps an old "destroy my project" from the
    // project's next life; what processes ask each other is fenced, and here comes at any time.
    if (letter.kind == LetterKind::request && role_of(letter.from) == Role::client && now > letter.deadline) {
        ++counted["late"];
        return;
    }
    const auto at = actors_.find(letter.to);
    if (at != actors_.end()) at->second->receive(delivered);
}

void World::cut(const std::string& from, const std::string& to, Duration time) { cuts_[{from, to}] = now + time; }

bool World::is_cut(const std::string& from, const std::string& to) const {
    for (const auto& [link, until] : cuts_) {
        if (until <= now) continue;
        if ((link.first.empty() || link.first == from) && (link.second.empty() || link.second == to)) return true;
    }
    return false;
}

// ---- faults

bool World::strikes(double probability, const char* what, const std::string& whom) {
    if (probability <= 0 || !fault_rng_.chance(probability)) return false;
    ++last_strike_;
    if (only && !only->contains(last_strike_)) return false;
    ++counted[what];
    if (schedule.size() < strikes_kept_max) schedule.push_back({last_strike_, now, whom.empty() ? what : fmt::format("{} {}", what, whom)});
    if (tracing) note(fmt::format("*** {} {}", what, whom));
    return true;
}

Duration World::pick(Duration least, Duration most) {
    return least + Duration{static_cast<std::int64_t>(fault_rng_.below(static_cast<std::uint64_t>((most - least).count()) + 1))};
}

void World::heal() {
    faults = Faults{};
    cuts_.clear();
    for (auto& [process, until] : paused_) until = std::min(until, now);
}

void World::note(const std::string& line) {
    trace.push_back(fmt::format("{:>10} {}", to_text(now - Instant{Duration{1'700'000'000'000}}), line));
}

}  // namespace berth::sim
