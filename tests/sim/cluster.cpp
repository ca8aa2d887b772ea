// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/cluster.hpp"

#include <fmt/format.h>

#include <array>

#include "base/hash.hpp"
#include "tests/sim/linear.hpp"

namespace berth::sim {

namespace {

constexpr Duration misfortune_every{1'000};
constexpr Duration sweep{20'000};         // for the users' last questions

}  // namespace

Cluster::Cluster(Options options)
    : options_(std::move(options)), world_(options_.seed, options_.faults), broker_(world_), provider_(world_, truth_),
      invariants_({world_, truth_, ledger_, hosts_, provider_.instances(), options_, [this](const HostRef& host, Instant before) { return is_heard(host, before); }}) {
    world_.only = options_.only;
    world_.carry_by(broker_);
    broker_.on_carry = [this](const Carried& what) { invariants_.carried(what); };
    ledger_.on_append = [this] { invariants_.after_each_event(); };
    provider_.on_boot = [this](const Machine& machine) { start_host(machine); };
    provider_.on_end = [this](const Machine& machine) { end_host(machine); };
}

Outcome Cluster::run() {
    broker_.begin();
    start_allocator();
    for (std::uint32_t index = 1; index <= options_.hosts; ++index) provider_.adopt({provider_.next_name()}, {"i1"});
    reaper_ = std::make_shared<SimReaper>(world_, options_.reaper);
    scaler_ = std::make_shared<SimScaler>(world_, truth_, provider_, options_.scaler);
    reaper_->begin();
    scaler_->begin();
    start_users();
    world_.after({}, misfortune_every, [this] { misfortune(); });
    begin_ = world_.now;
    if (step_until(begin_ + options_.safety)) {
        heal();
        if (step_until(world_.now + options_.healing)) {
            for (const auto& user : users_) user->ask_outcomes();
            if (step_until(world_.now + sweep)) invariants_.after_healing();
        }
    }
    Outcome outcome{.violation = invariants_.broken(), .facts = ledger_.size(), .events = world_.events,
                    .virtual_time = world_.now - begin_, .counted = world_.counted, .schedule = world_.schedule};
    const bool forgot = world_.counted.contains("restore_copy");   // what clients were told of the lost part
    for (const auto& user : users_) {
        if (forgot || !world_.clocks_were_right()) break;     // deadlines are of clocks that were wrong
        for (const auto& [key, text] : user->unresolved) {
            if (!outcome.violation) outcome.violation = Violation{"I7", fmt::format("{} can not learn the outcome of {}: {}", user->name(), key, text)};
        }
    }
    if (!outcome.violation && !forgot) {
        const auto linear = check_linear(history());
        if (linear.verdict == LinearVerdict::broken) outcome.violation = Violation{"linear", linear.text};
        outcome.calls = linear.calls;
        if (linear.verdict == LinearVerdict::too_large) world_.mark("linear: too large");
    }
    std::string rows;
    for (const auto& row : ledger_.rows()) rows += row;
    outcome.ledger_hash = hash_of(rows);
    return outcome;
}

bool Cluster::step_until(Instant until) {
    world_.run_until(until, [this] {
        invariants_.after_each_event();
        note_heard();
    });
    return !invariants_.broken();
}

// ---- who is there

void Cluster::start_allocator() {
    allocators_.push_back(std::make_shared<SimAllocator>(world_, ledger_, fmt::format("allocator#{}", allocators_.size() + 1),
                                                         options_.allocator, std::vector{options_.pool}));
    auto* fresh = allocators_.back().get();
    fresh->on_begin = [this, fresh] {
        for (const auto& each : allocators_) {
            if (each.get() != fresh) continue;
            serving_ = each;
            heard_.clear();
        }
    };
    fresh->begin();
}

void Cluster::start_host(const Machine& machine) {
    auto host = std::make_shared<SimHost>(world_, truth_, HostPlan{.host = machine.host, .incarnation = machine.incarnation,
                                                                   .launch = machine.launch, .slots = options_.pool.slots_per_host,
                                                                   .policy = options_.host, .activity = options_.reaper.activity});
    ++lives_[machine.host];
    hosts_.push_back(host);
    host->begin();
}

void Cluster::end_host(const Machine& machine) {
    const auto name = Truth::machine(machine.host, machine.incarnation);
    for (const auto& host : hosts_) {
        if (host->machine() == name && host->alive()) host->die();
    }
}

void Cluster::start_users() {
    for (std::uint32_t index = 1; index <= options_.users; ++index) {
        auto user = std::make_shared<User>(world_, truth_, fmt::format("u-{}", index), options_.habits);
        user->on_end = [this](const Call& call) { invariants_.told(call); };
        user->begin();
        users_.push_back(std::move(user));
    }
}

void Cluster::note_heard() {
    for (const auto& [host, seen] : serving_->state().seen) {
        auto& heard = heard_[host];
        if (heard.first != seen.beat.incarnation) heard = {seen.beat.incarnation, world_.now};
    }
}

// What was heard in that very instant may not have been known to what was decided in it; and where clocks are wrong,
// not what was heard while a disk may still write what was decided before.
bool Cluster::is_heard(const HostRef& host, Instant before) const {
    constexpr Duration slow_disk{5'000};
    const auto at = heard_.find(host.host);
    if (at == heard_.end() || at->second.first != host.incarnation || !serving_->state().seen.contains(host.host)) return false;
    return at->second.second < (world_.clocks_were_right() ? before : world_.now - slow_disk);
}

std::shared_ptr<SimHost> Cluster::any_host() { return hosts_[world_.pick(hosts_.size())]; }

// ---- what befalls them

void Cluster::misfortune() {
    if (healing_) return;
    world_.after({}, misfortune_every, [this] { misfortune(); });
    const auto& faults = world_.faults;
    if (serving_->fenced() && !recovering_) start_allocator();   // the supervisor's
    const auto host = hosts_.empty() ? nullptr : any_host();
    const auto machine = host ? host->plan().host.value : "scaler";
    const auto process = std::array{serving_->process(), std::string{"reaper"}, std::string{"scaler"}, machine, machine}[world_.pick(5)];
    if (world_.strikes(faults.pause, "pause", process)) world_.pause(process, world_.pick(Duration{500}, Duration{30'000}));
    if (world_.strikes(faults.clock_jump, "clock_jump", process)) world_.jump_clock(process);
    const auto cut_off = process == serving_->process() ? std::string{"allocator"} : process;
    if (world_.strikes(faults.partition, "partition", cut_off)) {
        const auto time = world_.pick(Duration{1'000}, Duration{40'000});
        const auto way = world_.pick(3);
        if (way != 0) world_.cut(cut_off, "", time);
        if (way != 1) world_.cut("", cut_off, time);
    }
    if (!recovering_ && world_.strikes(faults.take_over, "take_over")) start_allocator();
    if (world_.strikes(faults.disk_full, "disk_full")) {
        ledger_.full = true;
        world_.after({}, world_.pick(Duration{500}, Duration{15'000}), [this] { ledger_.full = false; });
    }
    const bool early = world_.now < begin_ + options_.safety / 2;   // so that what follows settles too
    if (early && !recovering_ && world_.strikes(faults.restore_copy, "restore_copy")) restore_copy();
    if (host && host->alive()) host_misfortune(*host);
    bus_misfortune(machine);
}

void Cluster::bus_misfortune(const std::string& machine) {
    if (world_.strikes(world_.faults.crash_broker, "crash_broker")) {
        world_.after({}, world_.pick(Duration{0}, misfortune_every), [this] { broker_.crash(); });
    }
    if (world_.strikes(world_.faults.forge, "forge")) {
        const auto& user = users_[world_.pick(users_.size())]->name();
        broker_.forge(world_.pick(2) == 0 ? user : machine, machine);
    }
}

// ---- an old copy of the ledger

void Cluster::restore_copy() {
    constexpr std::uint64_t lost_most = 200;
    if (ledger_.size() < 2) return;
    recovering_ = true;
    stop_allocators();
    highest_ = std::max(highest_, ledger_.head());
    const auto lost = 1 + world_.pick(std::min<std::uint64_t>(ledger_.size() - 1, lost_most));
    ledger_.restore(ledger_.size() - lost);
    invariants_.read_again();
    world_.after({}, world_.pick(Duration{500}, Duration{20'000}), [this] { recover_ledger(); });
}

void Cluster::stop_allocators() {
    for (const auto& each : allocators_) each->fence();
}

void Cluster::recover_ledger() {
    if (!recovering_) return;
    stop_allocators();
    highest_ = std::max(highest_, ledger_.head());
    ledger_.recover(Position{highest_.value + 1'000}, world_.now);
    truth_.erased.clear();                     // what was destroyed in the lost part is back, with an empty home
    recovering_ = false;
    start_allocator();
    world_.mark("recovered an old copy");
}

void Cluster::host_misfortune(SimHost& host) {
    const auto& faults = world_.faults;
    const auto name = host.plan().host.value;
    if (world_.strikes(faults.container_dies, "container_dies", name) && !truth_.containers.empty()) {
        auto at = std::next(truth_.containers.begin(), static_cast<std::ptrdiff_t>(world_.pick(truth_.containers.size())));
        if (truth_.mounted(at->second)) truth_.write_home(at->second);
        at->second.running = false;
        ++truth_.changes;
    }
    if (world_.strikes(faults.host_reboots, "host_reboots", name)) host.reboot();
    if (world_.strikes(faults.host_dies, "host_dies", name)) {
        host.die();
        provider_.ended(host.plan().host, host.plan().incarnation);
        if (world_.pick(3) == 0) come_back_later(host.plan().host);
    }
}

// A new life of the same machine, under its old name.
void Cluster::come_back_later(const HostId& id) {
    world_.after({}, world_.pick(Duration{200}, Duration{20'000}), [this, id] {
        provider_.adopt(id, {fmt::format("i{}", lives_[id] + 1)});
    });
}

void Cluster::heal() {
    healing_ = true;
    world_.heal();
    ledger_.full = false;
    recover_ledger();
    if (serving_->fenced()) start_allocator();
    for (const auto& user : users_) user->stop();
    world_.mark("healing");
    if (!world_.clocks_were_right()) {     // whose clock was wrong starts anew
        serving_->crash();
        reaper_->crash();
        scaler_->crash();
        for (const auto& host : hosts_) host->crash();
    }
}

History Cluster::history() const {
    History all;
    for (const auto& user : users_) all.insert(all.end(), user->history().begin(), user->history().end());
    return all;
}

}  // namespace berth::sim
