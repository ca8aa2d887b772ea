// SPDX-License-Identifier: Apache-2.0
#include "instances/desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>

#include "base/about.hpp"
#include "instances/shutdown.hpp"

namespace berth::instances {

namespace {

constexpr Duration shortest{60'000};      // a machine that boots longer than it lasts is of no use

template <class T>
Result<T> out_of(aws::Called<T> called) {
    if (!called) return fail(aws::to_error(called.error()));
    if constexpr (std::is_void_v<T>) return {};
    else return std::move(*called);
}

}  // namespace

Desk::Desk(const Clock& clock, aws::Environment environment, Policy policy, Watcher watcher)
    : clock_(clock), policy_(std::move(policy)), watcher_(std::move(watcher)),
      account_(clock, {.environment = std::move(environment), .profile = policy_.profile, .call_deadline = policy_.call_deadline, .pause = watcher_.pause}) {
    if (!watcher_.pause) watcher_.pause = [](Duration wait) { std::this_thread::sleep_for(wait); };
}

Result<aws::Client*> Desk::ec2(const std::string& region) { return out_of(account_.client(aws::ec2, region)); }

std::vector<std::string> Desk::regions() {
    std::set<std::string> all(policy_.regions.begin(), policy_.regions.end());
    all.insert(hints_.begin(), hints_.end());
    if (const auto own = region_of_zone(policy_.availability_zone)) all.insert(*own);
    for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
        if (auto region = account_.environment()(name); aws::check_region(region)) all.insert(std::move(region));
    }
    return {all.begin(), all.end()};
}

Result<aws::Machines> Desk::machines_of(const std::string& region) {
    auto& cloud = *TRY(ec2(region));
    return out_of(aws::describe(cloud, {{"Filter.1.Name", std::string{"tag:"} + aws::cluster_tag}, {"Filter.1.Value.1", policy_.cluster}}));
}

Result<std::vector<Rental>> Desk::list(std::vector<std::string> wanted) {
    if (wanted.empty()) wanted = regions();
    std::vector<Rental> found;
    for (const auto& region : wanted) {
        for (const auto& [id, machine] : TRY(machines_of(region))) {
            if (auto rental = read_rental(machine, policy_.cluster)) found.push_back(std::move(*rental));
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return std::tie(a.created_at, a.id) < std::tie(b.created_at, b.id); });
    return found;
}

Result<Rental> Desk::find(const std::string& id) {
    const auto all = TRY(list());
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& rental) { return rental.id == id || (!rental.is_over() && rental.name == id); });
    if (at == all.end()) {
        return fail(ErrorKind::not_found, "no instance {} of berth's in {}; `berth list --provider aws` shows them, [instances] regions says where to look", id, fmt::join(regions(), ", "));
    }
    return *at;
}

Result<void> Desk::check_room(std::uint32_t price) {
    if (policy_.spend_per_hour_max <= 0) return {};
    const auto all = TRY(list());
    return check_spend(all, price, policy_);
}

Result<aws::Machine> Desk::launch(aws::Client& cloud, const Order& order, aws::Recipe recipe) {
    if (order.key) {
        watcher_.tell("the key pair");
        recipe.key = TRY(out_of(aws::keep_key_pair(cloud, policy_.cluster, *order.key)));
    }
    if (!order.security_group.empty()) {
        recipe.security_groups = {TRY(out_of(aws::find_security_group(cloud, order.security_group)))};
    } else if (order.key) {
        watcher_.tell("the security group");
        recipe.security_groups = {TRY(out_of(aws::keep_ssh_group(cloud, policy_.cluster, "", policy_.ssh_from)))};
    }
    watcher_.tell(order.spot ? "the launch, as a spot instance" : "the launch");
    auto launched = aws::launch_or_fall_back(cloud, recipe);
    // Somebody else tidied up between the two: once more.
    if (!launched && (launched.error().code == "InvalidGroup.NotFound" || launched.error().code == "InvalidKeyPair.NotFound") && !recipe.token.ends_with("-2")) {
        recipe.token += "-2";
        return launch(cloud, order, std::move(recipe));
    }
    // Asked for again, later: by now with another end. The first one is the one.
    if (!launched && launched.error().code == "IdempotentParameterMismatch") {
        const auto known = TRY(out_of(aws::find_tagged(cloud, token_tag, {order.token})));
        if (!known.empty()) return known.begin()->second;
    }
    if (!launched) return fail(aws::to_error(launched.error()));
    if (!launched->why_not_spot.empty()) watcher_.tell("no spot instance: " + launched->why_not_spot + "; it is one on demand");
    return std::move(launched->machine);
}

Result<Rental> Desk::create(const Order& order) {
    const auto value = [](const std::string& given, const std::string& usual) { return given.empty() ? usual : given; };
    const auto type = value(order.instance_type, policy_.instance_type);
    const auto zone = value(order.availability_zone, policy_.availability_zone);
    const auto lasts = order.duration.value_or(policy_.duration);
    if (lasts < shortest || lasts > policy_.duration_max) {
        return fail(ErrorKind::invalid, "--duration {}: an instance lasts from {} to {} ([instances] duration_max)", to_text(lasts), to_text(shortest), to_text(policy_.duration_max));
    }
    TRY(aws::check_prices(policy_.prices));
    const auto region = TRY(region_of_zone(zone));
    auto& cloud = *TRY(ec2(region));
    watcher_.tell(fmt::format("{} in {}", type, zone));
    const auto architectures = TRY(out_of(aws::check_type(cloud, type, zone)));
    watcher_.tell("the image");
    const auto image = TRY(out_of(aws::find_image(cloud, value(order.image, policy_.image), architectures)));
    const auto price = aws::price_of(region, type, policy_.prices).value_or(0);
    TRY(check_room(price));

    const auto now = clock_.now();
    aws::Recipe recipe{.token = order.token, .image = image.id, .type = type, .zone = zone, .user_data = std::string{shutdown_script}, .spot = order.spot,
                       .encrypted = order.encrypt, .root_device = image.root_device, .volume_gib = order.encrypt ? image.root_gib : 0};
    recipe.tags = {{aws::cluster_tag, policy_.cluster}, {kind_tag, kind}, {"Name", value(order.name, "berth-" + order.created_by)},
                   {expires_tag, to_rfc3339(now + lasts)}, {created_tag, to_rfc3339(now)}, {creator_tag, order.created_by}, {token_tag, order.token},
                   {user_tag, value(order.ssh_user, policy_.ssh_user)}};
    if (price > 0) recipe.tags[price_tag] = std::to_string(price);
    const auto machine = TRY(launch(cloud, order, std::move(recipe)));
    auto rental = read_rental(machine, policy_.cluster);
    if (!rental) return fail(ErrorKind::unavailable, "instance {} was launched, but EC2 does not show its tags; `berth list --provider aws` will", machine.id);
    return std::move(*rental);
}

Result<Rental> Desk::wait_until_up(Rental rental) {
    auto& cloud = *TRY(ec2(rental.region));
    const auto begun = clock_.now();
    while (true) {
        auto seen = aws::describe(cloud, {{"InstanceId.1", rental.id}});
        // A machine that was launched just now may not be known everywhere yet.
        if (!seen && seen.error().kind != aws::FaultClass::missing) return fail(aws::to_error(seen.error()));
        if (seen && seen->contains(rental.id)) {
            if (auto now_is = read_rental(seen->at(rental.id), policy_.cluster)) rental = std::move(*now_is);
        }
        if (rental.state == "running" && !rental.address.empty()) return rental;
        if (rental.is_over() || rental.state == "stopped") {
            return fail(ErrorKind::unavailable, "instance {} is {} instead of running{}", rental.id, rental.state, rental.reason.empty() ? "" : ": " + rental.reason);
        }
        const auto waited = clock_.now() - begun;
        const auto how = fmt::format("instance {} is {} since {}; it goes on: `berth status --instance-id {}`", rental.id, rental.state, about(waited), rental.id);
        if (watcher_.give_up() || waited >= policy_.boot_max) return fail(ErrorKind::timeout, "{}", how);
        watcher_.tell(fmt::format("{} is {}", rental.id, rental.state));
        watcher_.pause(policy_.look_every);
    }
}

Result<Rental> Desk::extend(const Rental& rental, Duration by) {
    if (rental.is_over()) return fail(ErrorKind::conflict, "instance {} is {}; `berth create` makes a new one", rental.id, rental.state);
    if (by < shortest) return fail(ErrorKind::invalid, "--duration {}: at least {}", to_text(by), to_text(shortest));
    auto& cloud = *TRY(ec2(rental.region));
    auto after = rental;
    after.expires_at = extended(rental.expires_at, by, policy_, clock_.now());
    // Its new end goes first: a start before it would be stopped again at once.
    TRY(out_of(aws::set_tags(cloud, {rental.id}, {{expires_tag, to_rfc3339(*after.expires_at)}})));
    if (rental.state == "stopped" || rental.state == "stopping") TRY(start(rental));
    return after;
}

Result<void> Desk::start(const Rental& rental) {
    if (rental.runs()) return {};
    if (rental.is_over()) return fail(ErrorKind::conflict, "instance {} is {}; `berth create` makes a new one", rental.id, rental.state);
    if (rental.spot) return fail(ErrorKind::conflict, "instance {} is a spot one, which is not started again; `berth create --spot` makes a new one", rental.id);
    TRY(check_room(rental.price));
    auto& cloud = *TRY(ec2(rental.region));
    TRY(out_of(aws::set_tags(cloud, {rental.id}, {{spent_tag, std::to_string(cost_so_far(rental, clock_.now()))}})));
    return out_of(aws::change_state(cloud, "StartInstances", {rental.id}));
}

Result<void> Desk::stop(const Rental& rental) {
    if (rental.is_over() || rental.state == "stopped" || rental.state == "stopping") return {};
    if (rental.spot) return fail(ErrorKind::conflict, "instance {} is a spot one, which can only be terminated: `berth terminate --instance-id {}`", rental.id, rental.id);
    return out_of(aws::change_state(*TRY(ec2(rental.region)), "StopInstances", {rental.id}));
}

Result<void> Desk::terminate(const Rental& rental) {
    if (rental.is_over()) return {};
    return out_of(aws::change_state(*TRY(ec2(rental.region)), "TerminateInstances", {rental.id}));
}

Result<void> Desk::mark(const Deed& deed) {
    return out_of(aws::set_tags(*TRY(ec2(deed.region)), {deed.id}, {{expires_tag, to_rfc3339(deed.expires_at.value_or(clock_.now()))}}));
}

Result<std::vector<std::string>> Desk::tidy(const std::string& region) {
    const auto machines = TRY(machines_of(region));
    return out_of(aws::drop_unused(*TRY(ec2(region)), policy_.cluster, machines));
}

}  // namespace berth::instances
