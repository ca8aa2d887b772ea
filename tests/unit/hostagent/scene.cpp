// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/hostagent/scene.hpp"

#include <fmt/format.h>

namespace berth::hostagent {

Scene::Scene(std::uint32_t slots, Policy given, std::string sockets) : policy(std::move(given)) {
    setup_ = {.host = {"h-1"}, .incarnation = {"i-1"}, .slots = slots, .homes = "/homes", .scheme = "http",
              .apps_domain = "localhost", .proxy_port = 9000, .sockets = std::move(sockets)};
    recover();
}

void Scene::recover() {
    setup_.boot = fmt::format("b{}", ++lives_);
    state = make_state(policy, setup_);
    calls.clear();
    Recovered all{.term = disk_term, .sealed = disk_sealed, .position = disk_position};
    for (const auto& [slot, record] : disk) all.records.push_back(record);
    for (const auto& [workspace, route] : routes) all.routes.push_back(route);
    for (const auto& [container, found] : engine) all.found.push_back(found);
    take(all);
}

void Scene::restart() { recover(); }

void Scene::keep(const Persist& persist) {
    if (const auto* record = std::get_if<SlotRecord>(&persist)) {
        auto& known = disk[record->slot];
        EXPECT_GE(record->epoch, known.epoch) << "I3: an epoch was lowered";
        known = *record;
    } else if (const auto* route = std::get_if<RouteRecord>(&persist)) {
        routes.insert_or_assign(route->workspace, *route);
    } else if (const auto* dropped = std::get_if<DropRoute>(&persist)) {
        routes.erase(dropped->workspace);
    } else if (const auto* seen = std::get_if<Term>(&persist)) {
        EXPECT_GT(*seen, disk_term) << "I4: a term was lowered";
        disk_term = *seen;
    } else if (const auto* position = std::get_if<Position>(&persist)) {
        EXPECT_GT(*position, disk_position) << "F16: a position was lowered";
        disk_position = *position;
    } else {
        disk_sealed = true;
    }
}

void Scene::take(const Input& input) {
    out = step(state, input, now);
    for (const auto& persist : out.persists) keep(persist);
    calls.insert(calls.end(), out.operations.begin(), out.operations.end());
    for (const auto& reply : out.replies) {
        EXPECT_TRUE(replies.emplace(reply.caller, reply.body).second) << "caller " << reply.caller << " was answered twice";
    }
}

void Scene::pass(Duration time) {
    now += time;
    take(Tick{});
}

void Scene::finish(const Operation& call) {
    if (const auto* prepare = std::get_if<PrepareOrder>(&call)) {
        engine[prepare->container] = {prepare->container, prepare->slot, prepare->port, Health::running};
        take(Prepared{prepare->slot, prepare->container, {}});
    } else if (const auto* given = std::get_if<EngineBind>(&call)) {
        take(Bound{given->slot, given->container, {}});
    } else if (const auto* remove = std::get_if<RemoveOrder>(&call)) {
        engine.erase(remove->container);
        take(Removed{remove->slot, remove->container, {}});
    } else if (const auto* home = std::get_if<EraseOrder>(&call)) {
        take(Erased{home->workspace, {}});
    } else if (const auto* restore = std::get_if<RestoreOrder>(&call)) {
        take(HomeRestored{restore->slot, restore->workspace, restore->epoch, {}});
    } else if (const auto* save = std::get_if<SaveOrder>(&call)) {
        take(HomeSaved{save->slot, save->workspace, save->epoch, KeptHome{fmt::format("s-{}", ++snapshots), 1'000}});
    } else if (const auto* drop = std::get_if<DropOrder>(&call)) {
        take(HomeDropped{drop->slot, drop->workspace, drop->epoch, {}});
    } else if (std::holds_alternative<CheckHomesOrder>(call)) {
        take(HomesChecked{});
    } else if (const auto* list = std::get_if<ListOrder>(&call)) {
        std::vector<FoundContainer> found;
        for (const auto& [container, one] : engine) found.push_back(one);
        take(Listed{list->mark, std::move(found)});
    }
}

void Scene::settle() {
    for (int steps = 0; steps < 1'000; ++steps) {
        std::size_t at = 0;
        while (at < calls.size() && std::holds_alternative<ReadActivity>(calls[at])) ++at;
        if (at == calls.size()) return;
        const auto next = calls[at];
        calls.erase(calls.begin() + static_cast<std::ptrdiff_t>(at));
        finish(next);
    }
    ADD_FAILURE() << "the engine is called without end";
}

LeaseOrder Scene::order(std::uint32_t slot, std::uint64_t epoch, const std::string& workspace) {
    return {.slot = slot, .epoch = {epoch}, .workspace = {workspace}, .user = {"u-" + workspace}, .project = {"p"},
            .wanted = Wanted::running, .expires_at = start_of_time + Duration{8 * 3'600'000}};
}

CallerId Scene::bind(const LeaseOrder& wanted) {
    take(Asked<BindCommand>{++callers, {term, wanted}});
    return callers;
}
CallerId Scene::stop(std::uint32_t number, std::uint64_t epoch, const std::string& workspace) {
    take(Asked<StopCommand>{++callers, {term, number, {epoch}, {workspace}}});
    return callers;
}
CallerId Scene::link(std::uint32_t number, std::uint64_t epoch, const std::string& workspace) {
    take(Asked<LinkCommand>{++callers, {term, number, {epoch}, {workspace}}});
    return callers;
}
CallerId Scene::erase(const std::string& workspace) {
    take(Asked<EraseCommand>{++callers, {term, {workspace}}});
    return callers;
}
CallerId Scene::seal(const std::string& incarnation) {
    take(Asked<SealCommand>{++callers, {term, {incarnation}}});
    return callers;
}
void Scene::orders(std::vector<LeaseOrder> leases, std::uint32_t standbys, Admission admission) {
    take_beat(state);
    take(OrdersHeard{state.beats, {.term = term, .admission = admission, .standbys = standbys, .leases = std::move(leases)}});
}

std::string Scene::refusal(CallerId caller) const {
    const auto found = replies.find(caller);
    if (found == replies.end() || found->second) return "";
    return std::string{to_string(found->second.error().kind)};
}
std::string Scene::refusal_text(CallerId caller) const {
    const auto found = replies.find(caller);
    return found == replies.end() || found->second ? "" : found->second.error().text;
}

bool Scene::on_disk(std::uint32_t number, SlotPhase wanted, std::uint64_t epoch) const {
    const auto found = disk.find(number);
    return found != disk.end() && found->second.phase == wanted && found->second.epoch.value == epoch;
}

}  // namespace berth::hostagent
