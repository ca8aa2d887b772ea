// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/visitor.hpp"

#include <fmt/format.h>

#include <array>

namespace berth::sim {

namespace {

constexpr std::int64_t hour_ms = 3'600'000;
constexpr Duration patience{180'000};
constexpr Duration touch_every{60'000};
// How busy each hour of the day is; 1 is the mean.
constexpr std::array<double, 24> busy{0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.5, 1.2, 2.5, 2.6, 2.2, 1.6,
                                      1.2, 2.0, 2.2, 2.0, 1.7, 1.2, 0.8, 0.6, 0.5, 0.4, 0.2, 0.1};

}  // namespace

Visitor::Visitor(World& world, Truth& truth, std::string name, Duration mean_stay, double visits_a_day)
    : world_(world), truth_(truth), name_(std::move(name)), mean_stay_(mean_stay), visits_a_day_(visits_a_day), rng_(world.stream(name_)) {}

// Every minute a chance; its size by the hour.
void Visitor::come_later() {
    Duration wait{0};
    constexpr int minutes_max = 7 * 24 * 60;
    for (int minute = 0; minute < minutes_max; ++minute) {
        wait += Duration{60'000};
        const auto hour = static_cast<std::size_t>((world_.now + wait).time_since_epoch().count() / hour_ms % 24);
        if (rng_.chance(visits_a_day_ * busy[hour] / (24 * 60))) break;
    }
    world_.after(name_, wait + Duration{static_cast<std::int64_t>(rng_.below(60'000))}, [this] { come(); });
}

void Visitor::come() {
    const auto began = world_.now;
    const auto stay = mean_stay_ / 4 + Duration{static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(mean_stay_.count() * 3 / 2)))};
    const ClaimRequest request{.key = {fmt::format("k{}", ++last_key_)}, .user = {name_}, .project = {"main"}};
    world_.request(name_, name_, "allocator", request, patience, [this, began, stay](Result<Letter> reply) {
        on_visit({reply.has_value(), world_.now - began, reply ? stay : Duration{0}});
        if (reply) return work(reply->as<ClaimReply>().workspace, world_.now + stay);
        come_later();
    });
}

void Visitor::work(const WorkspaceId& workspace, Instant until) {
    truth_.last_use[workspace] = world_.now;
    if (world_.now >= until) return come_later();
    world_.after(name_, touch_every, [this, workspace, until] { work(workspace, until); });
}

}  // namespace berth::sim
