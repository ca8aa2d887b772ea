// SPDX-License-Identifier: Apache-2.0
// berth service: the loop that stops instances whose time is over, ends those that are stopped for long, tells what happened
// to them behind its back, and removes what they needed and nobody uses any more. Any number of it may run, or none: it keeps
// nothing, and what it does may be done twice.
#include <fmt/format.h>

#include <set>

#include "base/clock.hpp"
#include "base/diagnostics.hpp"
#include "cli/instances.hpp"
#include "cli/interrupt.hpp"
#include "instances/desk.hpp"

namespace berth::cli {

namespace {

struct Flags {
    std::string log_level = "info";
    bool verbose = false;
    bool once = false;
};

class Service {
public:
    Service(const Clock& clock, instances::Policy policy, std::vector<std::string> hints)
        : clock_(clock), desk_(clock, aws::own_environment(), std::move(policy), {.give_up = Interrupt::seen, .pause = pause_or_interrupt}) {
        desk_.hint(std::move(hints));
    }

    Duration data_every() const { return desk_.policy().data_every; }

    /// False: it could not be looked at; the next time will show more.
    bool turn() {
        const auto now = clock_.now();
        const auto listed = desk_.list();
        if (!listed) {
            log_warn("instances.unknown", {{"why", listed.error().text}});
            return false;
        }
        log_line(LogLevel::debug, "instances.listed", {{"instances", listed->size()}, {"per_hour", aws::dollars(instances::cost_per_hour(*listed))}});
        for (const auto& deed : instances::due(*listed, desk_.policy(), now)) carry_out(deed, *listed);
        if (seen_ && now < look_at_) return true;
        look_at_ = now + desk_.policy().states_every;
        if (seen_) {
            for (const auto& [id, what] : instances::changes(*seen_, *listed, now)) log_info("instance.changed", {{"instance", id}, {"what", what}});
        }
        tidy(*listed);
        seen_ = *listed;
        return true;
    }

private:
    void carry_out(const instances::Deed& deed, const std::vector<instances::Rental>& all) {
        const auto at = std::find_if(all.begin(), all.end(), [&](const auto& rental) { return rental.id == deed.id; });
        const auto done = deed.kind == instances::DeedKind::stop        ? desk_.stop(*at)
                          : deed.kind == instances::DeedKind::terminate ? desk_.terminate(*at)
                                                                         : desk_.mark(deed);
        if (done) log_info("instance.deed", {{"deed", deed.kind}, {"instance", deed.id}, {"why", deed.why}});
        else log_warn("instance.deed_failed", {{"deed", deed.kind}, {"instance", deed.id}, {"why", done.error().text}});
    }

    // Where the last of ours is over; others may be made there at any time.
    void tidy(const std::vector<instances::Rental>& now) {
        std::set<std::string> over;
        for (const auto& rental : now) {
            if (rental.state == "terminated") over.insert(rental.region);
        }
        for (const auto& region : over) {
            const auto dropped = desk_.tidy(region);
            if (!dropped) log_warn("instances.untidy", {{"region", region}, {"why", dropped.error().text}});
            else if (!dropped->empty()) log_info("instances.tidied", {{"region", region}, {"removed", fmt::format("{}", fmt::join(*dropped, " "))}});
        }
    }

    const Clock& clock_;
    instances::Desk desk_;
    std::optional<std::vector<instances::Rental>> seen_;
    Instant look_at_;
};

Result<Exit> run(const Shared& shared, const Flags& flags) {
    const auto level = TRY(parse_log_level(flags.verbose ? "debug" : flags.log_level));
    auto policy = TRY(instances_policy());
    TRY(aws::check_prices(policy.prices));
    start_diagnostics("service", "", level);
    RealClock clock;
    Service service(clock, std::move(policy), hinted_regions(shared));
    if (flags.once) return service.turn() ? Exit::ok : Exit::failed;
    log_info("ready");
    while (!Interrupt::seen()) {
        service.turn();
        pause_or_interrupt(service.data_every());
    }
    log_info("stopped");
    return Exit::ok;
}

}  // namespace

void add_service(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("service", "Machines", "Stop instances of `berth create` when their time is over, until Ctrl-C", "berth service --log-level info");
    command->add_option("--log-level", flags->log_level, "debug, info, warn or error")->capture_default_str();
    command->add_flag("--verbose", flags->verbose, "the same as --log-level debug");
    command->add_flag("--once", flags->once, "look once, do what is due, and end: for a timer");
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
