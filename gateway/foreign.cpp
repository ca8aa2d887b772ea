// SPDX-License-Identifier: Apache-2.0
#include "gateway/foreign.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bus/keys.hpp"

namespace berth::gateway {

namespace {

constexpr Duration ask_timeout{5'000};

}  // namespace

ForeignAgent::ForeignAgent(const CompatPolicy& policy, Machine machine, PoolName pool, SlotReport slot)
    : policy_(policy), machine_(std::move(machine)), pool_(std::move(pool)), slot_(std::move(slot)) {}

Result<std::unique_ptr<ForeignAgent>> ForeignAgent::open(bus::ZmqLoop& loop, const CompatPolicy& policy, const std::string& state,
                                                         const Machine& machine, PoolName pool, SlotReport slot) {
    std::unique_ptr<ForeignAgent> agent{new ForeignAgent(policy, machine, std::move(pool), std::move(slot))};
    TRY(bus::mint_key(state + "/keys", machine.host.value, Role::host));
    auto connection = TRY(bus::read_connection(state + "/bus.toml", state + "/keys", {machine.host.value, Role::host}));
    agent->endpoint_ = TRY(bus::ZmqEndpoint::open(loop, std::move(connection)));
    agent->serve();
    return agent;
}

void ForeignAgent::serve() {
    endpoint_->serve<BindCommand>([this](const BindCommand& command, const bus::Delivery&, const bus::Responder& to) {
        if (const auto may = admit(command.term); !may) return to.refuse(may.error());
        const auto& order = command.order;
        const bool again = order.epoch == slot_.epoch && order.workspace == slot_.workspace && slot_.phase == SlotPhase::bound;
        if (!again && (order.epoch <= slot_.epoch || sealed_)) {
            return to.refuse({ErrorKind::fenced, fmt::format("{} has seen epoch {} and takes no {}", machine_.host.value, slot_.epoch.value, order.epoch.value)});
        }
        if (!again && slot_.phase != SlotPhase::empty && slot_.phase != SlotPhase::stopped) {
            return to.refuse({ErrorKind::conflict, fmt::format("{} is {}", machine_.host.value, slot_.text.empty() ? std::string{to_string(slot_.phase)} : slot_.text)});
        }
        slot_ = {.slot = 0, .phase = SlotPhase::bound, .epoch = order.epoch, .workspace = order.workspace,
                 .container = ContainerId{fmt::format("{}-{}", machine_.host.value, order.epoch.value)}};
        to.reply(BindReply{slot_.container, url()});
    });
    endpoint_->serve<StopCommand>([this](const StopCommand& command, const bus::Delivery&, const bus::Responder& to) {
        if (const auto may = admit(command.term); !may) return to.refuse(may.error());
        stop(command, to);
    });
    endpoint_->serve<LinkCommand>([this](const LinkCommand& command, const bus::Delivery&, const bus::Responder& to) {
        if (const auto may = admit(command.term); !may) return to.refuse(may.error());
        if (slot_.phase != SlotPhase::bound || command.epoch != slot_.epoch || command.workspace != slot_.workspace) {
            return to.refuse({ErrorKind::not_found, fmt::format("{} is not on {} at epoch {}", command.workspace.value, machine_.host.value, command.epoch.value)});
        }
        to.reply(LinkReply{.url = url(), .link = url(), .token = {}});   // what runs there keeps its own door
    });
    endpoint_->serve<EraseCommand>([this](const EraseCommand& command, const bus::Delivery&, const bus::Responder& to) {
        if (const auto may = admit(command.term); !may) return to.refuse(may.error());
        to.reply(EraseReply{command.workspace});                         // berth keeps no home there
    });
    endpoint_->serve<SealCommand>([this](const SealCommand& command, const bus::Delivery&, const bus::Responder& to) {
        if (const auto may = admit(command.term); !may) return to.refuse(may.error());
        sealed_ = true;
        to.reply(SealReply{machine_.incarnation, slot_.phase == SlotPhase::bound ? 1U : 0U});
    });
}

Result<void> ForeignAgent::admit(Term term) {
    if (term < term_) return fail(ErrorKind::fenced, "{} has seen term {} and obeys no {}", machine_.host.value, term_.value, term.value);
    term_ = term;
    return {};
}

// Told to be unclean before it is told to be empty, so that it is given to nobody in between (I27).
void ForeignAgent::stop(const StopCommand& command, const bus::Responder& to) {
    if (command.epoch < slot_.epoch) return to.refuse({ErrorKind::fenced, fmt::format("{} is at epoch {}", machine_.host.value, slot_.epoch.value)});
    slot_.epoch = command.epoch;
    slot_.workspace = command.workspace;
    slot_.container = {};
    const StopReply stopped{command.slot, command.epoch};
    if (policy_.machines_reused) {
        slot_.phase = SlotPhase::stopped;
        return to.reply(stopped);
    }
    slot_.phase = SlotPhase::broken;
    slot_.text = std::string{not_recycled};
    endpoint_->request<HostHeartbeat>(heartbeat(), ask_timeout, [to, stopped](const Result<HostOrders>& heard) {
        if (heard) to.reply(stopped);
        else to.refuse(heard.error());
    });
}

HostHeartbeat ForeignAgent::heartbeat() const {
    return {.host = machine_.host, .incarnation = machine_.incarnation, .term_seen = term_, .slots = {slot_}, .position_seen = position_};
}

std::string ForeignAgent::url() const {
    const bool v6 = said_.public_ip.find(':') != std::string::npos;
    return fmt::format("http://{}{}{}:{}/", v6 ? "[" : "", said_.public_ip, v6 ? "]" : "", policy_.machine_port);
}

// What the ledger says that the machine holds: all that is left after a restart of the gateway.
void ForeignAgent::take(const HostOrders& orders) {
    term_ = std::max(term_, orders.term);
    position_ = std::max(position_, orders.position);
    if (orders.leases.empty()) {
        if (slot_.phase == SlotPhase::bound || slot_.phase == SlotPhase::stopped) {
            slot_ = {.slot = 0, .phase = SlotPhase::empty, .epoch = slot_.epoch};
        }
        return;
    }
    const auto& order = orders.leases.front();
    if (order.epoch <= slot_.epoch || order.wanted != Wanted::running) return;   // its bind or stop is on the way, and comes again
    slot_ = {.slot = 0, .phase = SlotPhase::bound, .epoch = order.epoch, .workspace = order.workspace,
             .container = ContainerId{fmt::format("{}-{}", machine_.host.value, order.epoch.value)}};
}

void ForeignAgent::register_host(ForeignSaid said, Recycled recycled, Done done) {
    said_ = std::move(said);
    if (recycled == Recycled::yes && slot_.phase == SlotPhase::broken) slot_ = {.slot = 0, .phase = SlotPhase::empty, .epoch = slot_.epoch};
    const RegisterRequest request{.host = machine_.host, .incarnation = machine_.incarnation, .pool = pool_, .instance = said_.instance,
                                  .public_ip = said_.public_ip, .private_ip = said_.private_ip, .proxy_port = policy_.machine_port, .slots = 1,
                                  .version = "foreign", .provider = std::string{static_provider}};
    endpoint_->request<RegisterRequest>(request, ask_timeout, [this, done = std::move(done)](const Result<HostOrders>& answer) {
        registered_ = answer.has_value();
        if (!answer) return done(fail(answer.error()));
        take(*answer);
        beat(done);
    });
}

void ForeignAgent::beat(Done done) {
    const auto beat = heartbeat();
    endpoint_->publish(beat);
    endpoint_->request<HostHeartbeat>(beat, ask_timeout, [this, done = std::move(done)](const Result<HostOrders>& answer) {
        if (answer) take(*answer);
        else if (answer.error().kind == ErrorKind::not_found) registered_ = false;
        done(answer ? Result<void>{} : fail(answer.error()));
    });
}

}  // namespace berth::gateway
