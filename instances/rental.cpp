// SPDX-License-Identifier: Apache-2.0
#include "instances/rental.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "aws/place.hpp"
#include "aws/surroundings.hpp"
#include "base/about.hpp"

namespace berth::instances {

namespace {

std::uint64_t number_in(const std::string& text) {
    std::uint64_t number = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
    return bad == std::errc{} && end == text.data() + text.size() ? number : 0;
}

std::optional<Instant> time_of(const aws::Machine& machine, const char* tag) {
    const auto at = from_rfc3339(machine.tag(tag));
    return at ? std::optional{*at} : std::nullopt;
}

std::string because(const std::string& reason) { return reason.empty() ? std::string{} : ": " + reason; }

}  // namespace

std::optional<Instant> time_in(const std::string& transition) {
    const auto open = transition.find('(');
    if (open == std::string::npos || transition.size() < open + 20) return std::nullopt;
    auto text = transition.substr(open + 1, 19);
    text[10] = 'T';
    const auto at = from_rfc3339(text + "Z");
    return at ? std::optional{*at} : std::nullopt;
}

Result<std::string> region_of_zone(const std::string& zone) {
    // Words and one number, then a letter ("us-gov-west-1b"), or more words of a local zone ("us-west-2-lax-1a").
    std::size_t end = zone.find_first_of("0123456789");
    while (end < zone.size() && zone[end] >= '0' && zone[end] <= '9') ++end;
    const auto region = zone.substr(0, std::min(end, zone.size()));
    const bool more = end < zone.size() && (zone[end] == '-' || (zone[end] >= 'a' && zone[end] <= 'z'));
    if (end == std::string::npos || !more || !aws::check_region(region)) return fail(ErrorKind::invalid, "'{}' is no availability zone; one is called as us-east-1a", zone);
    return region;
}

std::optional<Rental> read_rental(const aws::Machine& machine, const std::string& cluster) {
    if (machine.tag(aws::cluster_tag) != cluster || machine.tag(kind_tag) != kind) return std::nullopt;
    Rental rental{.id = machine.id,
                  .name = machine.tag("Name"),
                  .region = region_of_zone(machine.zone).value_or(""),
                  .zone = machine.zone,
                  .type = machine.type,
                  .state = machine.state,
                  .address = machine.public_address.empty() ? machine.private_address : machine.public_address,
                  .ssh_user = machine.tag(user_tag),
                  .key = machine.key,
                  .created_by = machine.tag(creator_tag),
                  .reason = machine.state_reason,
                  .spot = machine.spot,
                  .launched_at = machine.launched_at.value_or(Instant{}),
                  .expires_at = time_of(machine, expires_tag),
                  .price = static_cast<std::uint32_t>(number_in(machine.tag(price_tag))),
                  .spent = number_in(machine.tag(spent_tag))};
    rental.created_at = time_of(machine, created_tag).value_or(rental.launched_at);
    if (!rental.runs()) rental.stopped_at = time_in(machine.transition);
    return rental;
}

aws::Microdollars cost_so_far(const Rental& rental, Instant now) {
    // Without Amazon's word on when it stopped, its own end is the best there is.
    const auto until = rental.runs() || rental.state == "stopping" ? now : rental.stopped_at.value_or(std::min(rental.expires_at.value_or(now), now));
    const auto ran = std::max<Duration::rep>((until - rental.launched_at).count(), 0);
    if (rental.launched_at == Instant{}) return rental.spent;
    return rental.spent + static_cast<aws::Microdollars>(ran / 1'000) * rental.price / 3'600;
}

aws::Microdollars cost_per_hour(const std::vector<Rental>& rentals) {
    aws::Microdollars sum = 0;
    for (const auto& rental : rentals) sum += rental.runs() ? rental.price : 0;
    return sum;
}

Result<void> check_spend(const std::vector<Rental>& rentals, std::uint32_t price, const Policy& policy) {
    if (policy.spend_per_hour_max <= 0) return {};
    const auto most = static_cast<aws::Microdollars>(policy.spend_per_hour_max * 1e6 + 0.5);
    const auto now = cost_per_hour(rentals);
    if (price == 0) return fail(ErrorKind::no_capacity, "nobody knows what it costs, and spend_per_hour_max is set: say its price in [instances] prices");
    if (now + price <= most) return {};
    return fail(ErrorKind::no_capacity, "it costs {} per hour, with {} that is spent per hour already; [instances] spend_per_hour_max is {}. Stop another, or raise it",
                aws::dollars(price), aws::dollars(now), aws::dollars(most));
}

Instant extended(const std::optional<Instant>& end, Duration by, const Policy& policy, Instant now) {
    const auto wanted = now + std::min(by, policy.duration_max);
    return end ? std::max(*end, wanted) : wanted;
}

std::vector<Deed> due(const std::vector<Rental>& rentals, const Policy& policy, Instant now) {
    std::vector<Deed> deeds;
    for (const auto& rental : rentals) {
        const auto deed = [&](DeedKind what, std::string why, std::optional<Instant> until = {}) {
            deeds.push_back({what, rental.id, rental.region, std::move(why), until});
        };
        if (rental.is_over()) continue;
        if (!rental.expires_at) {
            deed(DeedKind::mark, fmt::format("its tag {} is gone or no time: it lasts {} from its start", expires_tag, to_text(policy.duration)), rental.launched_at + policy.duration);
            continue;
        }
        const auto over = now - *rental.expires_at;
        if (rental.runs() && over >= Duration{0}) {
            deed(rental.spot ? DeedKind::terminate : DeedKind::stop, fmt::format("its time is over since {}{}", about(over), rental.spot ? ", and a spot instance can not be stopped" : ""));
        }
        const auto stopped_at = std::max(rental.stopped_at.value_or(*rental.expires_at), *rental.expires_at);
        if (rental.state == "stopped" && now - stopped_at >= policy.keep_stopped) deed(DeedKind::terminate, fmt::format("it is stopped since {}", about(now - stopped_at)));
    }
    return deeds;
}

std::vector<Change> changes(const std::vector<Rental>& before, const std::vector<Rental>& now, Instant at) {
    std::map<std::string, const Rental*> left;
    for (const auto& rental : before) left[rental.id] = &rental;
    std::vector<Change> found;
    for (const auto& rental : now) {
        const auto was = left.extract(rental.id);
        if (was.empty()) {
            found.push_back({rental.id, fmt::format("is new, and {}", rental.state)});
            continue;
        }
        const auto& old = *was.mapped();
        const bool early = old.expires_at && *old.expires_at > at;
        if (old.type != rental.type) found.push_back({rental.id, fmt::format("is a {} now and was a {}", rental.type, old.type)});
        if (old.expires_at && !rental.expires_at) found.push_back({rental.id, fmt::format("lost its tag {}", expires_tag)});
        if (old.state == rental.state) continue;
        const bool ended = rental.is_over() && !old.is_over();
        const bool stopped = (rental.state == "stopping" || rental.state == "stopped") && old.runs();
        found.push_back({rental.id, fmt::format("{} {} {}{}", early && (ended || stopped) ? "before its time is" : "is", rental.state, fmt::format("(it was {})", old.state), because(rental.reason))});
    }
    for (const auto& [id, rental] : left) {
        if (!rental->is_over()) found.push_back({id, fmt::format("is listed no more; it was {}", rental->state)});
    }
    return found;
}

}  // namespace berth::instances
