// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/allocator/scripted_host.hpp"

namespace berth::testing {

namespace {

Cluster& with_key(Cluster& cluster, const std::string& name) {
    cluster.mint(name, Role::host);
    return cluster;
}

}  // namespace

ScriptedHost::ScriptedHost(Cluster& cluster, const std::string& name, std::uint32_t slots)
    : name_(name), slots_(slots), peer_(with_key(cluster, name), name, Role::host) {
    auto& endpoint = peer_.endpoint();
    endpoint.serve<BindCommand>([this](BindCommand command, const bus::Delivery&, bus::Responder to) {
        bound.push_back(command);
        auto answer = [this, order = command.order, to] {
            reports_[order.slot] = {order.slot, SlotPhase::bound, order.epoch, order.workspace, {"k"}, ""};
            BindReply reply{{fmt::format("k-{}-{}", order.slot, order.epoch.value)}, "http://" + order.workspace.value + ".localhost:1/", {}};
            if (gives_links) reply.link = link_to(order.workspace);
            to.reply(reply);
        };
        if (!answers_binds) return held_.push_back(std::move(answer));
        answer();
    });
    endpoint.serve<StopCommand>([this](StopCommand command, const bus::Delivery&, bus::Responder to) {
        stopped.push_back(command);
        reports_[command.slot] = {command.slot, SlotPhase::stopped, command.epoch, command.workspace, {}, ""};
        to.reply(StopReply{command.slot, command.epoch});
    });
    endpoint.serve<LinkCommand>([this](LinkCommand command, const bus::Delivery&, bus::Responder to) {
        to.reply(link_to(command.workspace));
    });
    endpoint.serve<SealCommand>([](SealCommand command, const bus::Delivery&, bus::Responder to) {
        to.reply(SealReply{command.incarnation, 0});
    });
}

void ScriptedHost::prepare() {
    for (std::uint32_t slot = 0; slot < slots_; ++slot) reports_[slot] = {slot, SlotPhase::prepared, {}, {}, {"k"}, ""};
}

LinkReply ScriptedHost::link_to(const WorkspaceId& workspace) {
    ++links;
    const auto url = "http://" + workspace.value + ".localhost:1/";
    return {url, url + "_berth/open?token=t" + std::to_string(links), "t" + std::to_string(links)};
}

void ScriptedHost::answer_held_binds() {
    peer_.loop().post([this] {
        answers_binds = true;
        for (const auto& answer : std::exchange(held_, {})) answer();
    });
}

Result<HostOrders> ScriptedHost::enrol() {
    const auto orders = TRY(peer_.ask(RegisterRequest{.host = {name_}, .incarnation = {"i-" + name_}, .pool = {"default"},
                                                      .instance = name_, .public_ip = "127.0.0.1", .proxy_port = 1,
                                                      .slots = slots_, .version = "test"}));
    std::ignore = orders;
    return beat();
}

Result<HostOrders> ScriptedHost::beat() {
    HostHeartbeat beat{.host = {name_}, .incarnation = {"i-" + name_}};
    for (const auto& [slot, report] : reports_) beat.slots.push_back(report);
    return peer_.ask(beat);
}

void ScriptedHost::stop_by_itself(std::uint32_t slot, Epoch epoch, const std::string& why) {
    const auto at = reports_.find(slot);
    if (at == reports_.end() || at->second.epoch != epoch || at->second.phase != SlotPhase::bound) return;
    at->second.phase = SlotPhase::stopped;
    at->second.text = why;
}

}  // namespace berth::testing
