// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "tests/sim/visitor.hpp"

namespace berth::sim {

namespace {

constexpr Duration sample_every{60'000};

double hours_of(Duration time) { return static_cast<double>(time.count()) / 3'600'000; }

// Letters arrive within the millisecond in which they were sent, in that order, as over one connection:
// unequal delays would make each follower miss facts and read the whole view again.
class Fleet {
public:
    explicit Fleet(const FleetPlan& plan)
        : plan_(plan), world_(plan.seed, Faults{.delay_max = Duration{0}}, Encoding::none), provider_(world_, truth_),
          allocator_(std::make_shared<SimAllocator>(world_, ledger_, "allocator", allocator::Policy{.heartbeat = plan.period}, std::vector{plan.pool})),
          reaper_(std::make_shared<SimReaper>(world_, reaper::Policy{.heartbeat = plan.period, .activity = plan.period})),
          scaler_(std::make_shared<SimScaler>(world_, truth_, provider_, scaler_policy())) {
        provider_.on_boot = [this](const Machine& machine) { start(machine); };
        provider_.on_end = [this](const Machine& machine) { end(machine); };
    }

    FleetReport run() {
        const auto began = std::clock();
        world_.now = Instant{Duration{1'700'006'400'000}} + plan_.from;   // midnight, and so much
        allocator_->begin();
        // All hosts are there from the beginning, but their periods are not in step.
        for (std::uint32_t host = 0; host < plan_.hosts; ++host) {
            world_.after({}, plan_.period * host / plan_.hosts, [this] { provider_.adopt({provider_.next_name()}, {"i1"}); });
        }
        world_.after({}, plan_.period, [this] {
            reaper_->begin();
            scaler_->begin();
        });
        for (std::uint32_t person = 1; person <= plan_.people; ++person) add_person(person);
        sample();
        world_.run_until(world_.now + plan_.span, [] {});
        count_facts();
        std::sort(report_.waits.begin(), report_.waits.end());
        report_.seconds = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
        return report_;
    }

private:
    static scaler::Policy scaler_policy() {
        scaler::Policy policy;
        policy.launches_per_hour_max = 100'000;
        return policy;
    }
    void start(const Machine& machine) {
        auto host = std::make_shared<SimHost>(world_, truth_, HostPlan{.host = machine.host, .incarnation = machine.incarnation, .launch = machine.launch,
                                                                       .slots = plan_.pool.slots_per_host, .policy = {.inventory_every = plan_.period},
                                                                       .tick = plan_.period, .rare_ticks = true, .activity = plan_.period, .start = Duration{2'500}});
        hosts_[machine.host] = host;
        host->begin();
    }
    void end(const Machine& machine) {
        const auto at = hosts_.find(machine.host);
        if (at == hosts_.end()) return;
        at->second->die();
        ended_.push_back(at->second);     // timers may still name it
        hosts_.erase(at);
    }
    void add_person(std::uint32_t number) {
        auto person = std::make_shared<Visitor>(world_, truth_, fmt::format("u-{}", number), plan_.stay, plan_.visits);
        person->on_visit = [this](const Visit& visit) {
            ++report_.visits;
            ++(visit.granted ? report_.granted : report_.refused);
            if (visit.granted) report_.waits.push_back(visit.wait);
            report_.used_hours += hours_of(visit.stay);
        };
        person->begin();
        people_.push_back(std::move(person));
    }
    void sample() {
        std::uint64_t leased = 0;
        for (const auto& [id, host] : allocator_->view().hosts) {
            if (host.liveness != Liveness::gone) leased += host.count(SlotUse::leased);
        }
        report_.most_hosts = std::max<std::uint64_t>(report_.most_hosts, hosts_.size());
        report_.host_hours += hours_of(sample_every) * static_cast<double>(hosts_.size());
        report_.lease_hours += hours_of(sample_every) * static_cast<double>(leased);
        world_.after({}, sample_every, [this] { sample(); });
    }
    void count_facts() {
        for (std::size_t index = 0; index < ledger_.size(); ++index) {
            const auto record = ledger_.at(index);
            if (std::holds_alternative<LaunchStarted>(record.fact)) ++report_.launches;
            if (std::holds_alternative<HostGone>(record.fact)) ++report_.ended;
            if (!std::holds_alternative<WorkspaceStopping>(record.fact)) continue;
            const auto& why = record.reason.why();
            ++report_.stopped[why.find("idle") != std::string::npos ? "idle" : why];
        }
    }

    FleetPlan plan_;
    World world_;
    Truth truth_;
    SimDisk ledger_;
    SimProvider provider_;
    std::shared_ptr<SimAllocator> allocator_;
    std::shared_ptr<SimReaper> reaper_;
    std::shared_ptr<SimScaler> scaler_;
    std::map<HostId, std::shared_ptr<SimHost>> hosts_;
    std::vector<std::shared_ptr<SimHost>> ended_;
    std::vector<std::shared_ptr<Visitor>> people_;
    FleetReport report_;
};

}  // namespace

Duration FleetReport::wait_at(double share) const {
    if (waits.empty()) return Duration{0};
    return waits[std::min(waits.size() - 1, static_cast<std::size_t>(share * static_cast<double>(waits.size())))];
}

FleetReport play(const FleetPlan& plan) { return Fleet(plan).run(); }

std::string text_of(const FleetReport& report, const FleetPlan& plan) {
    auto text = fmt::format("{} people over {}: {} visits, {} granted, {} refused\n", plan.people, to_text(plan.span), report.visits, report.granted, report.refused);
    text += fmt::format("waits     half within {}, 95 % within {}, 99 % within {}, longest {}\n", to_text(report.wait_at(0.5)), to_text(report.wait_at(0.95)),
                        to_text(report.wait_at(0.99)), to_text(report.wait_at(1)));
    text += fmt::format("hosts     {:.1f} host-hours, at most {} at once; {} launched, {} given back\n", report.host_hours, report.most_hosts, report.launches, report.ended);
    text += fmt::format("slots     {:.1f} lease-hours for {:.1f} hours of work; {:.0f} % of the room was leased\n", report.lease_hours, report.used_hours,
                        100 * report.lease_hours / std::max(1.0, report.host_hours * plan.pool.slots_per_host));
    for (const auto& [why, count] : report.stopped) text += fmt::format("stopped   {} × {}\n", count, why);
    text += fmt::format("periods   heartbeats, readings of activity and looks at the engine each {}\n", to_text(plan.period));
    text += fmt::format("played in {:.1f} s of one core, {:.0f} times faster than life\n", report.seconds,
                        static_cast<double>(plan.span.count()) / 1'000 / std::max(0.001, report.seconds));
    return text;
}

}  // namespace berth::sim
