// SPDX-License-Identifier: Apache-2.0
// The part of the shell that looks after machines which enrolled: their keys, and whether their proxies
// are reached.
#include <fmt/format.h>

#include "base/diagnostics.hpp"
#include "gateway/process.hpp"

namespace berth::gateway {

namespace {

constexpr std::size_t targets_max = 4'096;

std::string in_url(const std::string& address) { return address.find(':') == std::string::npos ? address : "[" + address + "]"; }

}  // namespace

void Process::carry_out(ClientId client, EnrolWish wish, const Turn& turn) {
    const auto outcome = enrol_machine(state_, host_settings_, wish);
    if (outcome) {
        log_info("host.enrolled", {{"host", wish.machine.host}, {"pool", wish.pool}, {"token", wish.machine.token_id}, {"fresh", outcome->fresh}});
    } else {
        log_warn("host.not_enrolled", {{"host", wish.machine.host}, {"token", wish.machine.token_id}, {"why", outcome.error().text}});
    }
    read_tokens_again();
    finish(client, answer_enrol(wish, outcome, turn));
}

Result<ForeignAgent*> Process::foreign_agent(const ForeignWish& wish) {
    if (wish.act == ForeignAct::registers) {
        TRY(note_machine(state_, wish.machine));
        read_tokens_again();
    }
    if (const auto known = foreign_.find(wish.machine.host); known != foreign_.end()) return known->second.get();
    auto opened = TRY(ForeignAgent::open(loop_, picture_.compat, state_, wish.machine, wish.pool, wish.slot));
    return foreign_.emplace(wish.machine.host, std::move(opened)).first->second.get();
}

void Process::carry_out(ClientId client, ForeignWish wish, const Turn& turn) {
    const auto agent = foreign_agent(wish);
    if (!agent) return finish(client, answer_foreign(picture_, wish, fail(agent.error()), turn));
    const auto done = [this, client, wish, turn](Result<void> outcome) {
        if (outcome && wish.act == ForeignAct::registers) log_info("host.enrolled", {{"host", wish.machine.host}, {"pool", wish.pool}, {"speaks", "http"}});
        finish_when([this, wish, outcome] { return shows(picture_, wish, outcome); }, client,
                    [this, wish, outcome, turn] { return answer_foreign(picture_, wish, outcome, turn); });
    };
    const bool registers = wish.act == ForeignAct::registers;
    if (!registers && (*agent)->is_registered()) return (*agent)->beat(done);
    (*agent)->register_host(wish.said, registers ? ForeignAgent::Recycled::yes : ForeignAgent::Recycled::no, done);
}

// Told by the fact, and by the view for what happened while nobody of us lived.
void Process::cut_off_gone() {
    bool changed = false;
    for (const auto& machine : std::vector<Machine>(picture_.tokens.machines())) {
        const auto at = picture_.view.hosts.find(machine.host);
        if (at == picture_.view.hosts.end() || at->second.liveness != Liveness::gone || at->second.incarnation != machine.incarnation) continue;
        foreign_.erase(machine.host);
        const auto cut = cut_off_machine(state_, machine.host);
        changed = changed || cut;
        if (cut) {
            log_info("host.cut_off", {{"host", machine.host}, {"why", "it is gone, and its key with it"}});
        } else {
            log_warn("host.not_cut_off", {{"host", machine.host}, {"why", cut.error().text}});
        }
    }
    if (changed) read_tokens_again();
}

void Process::look_at_reach() {
    std::vector<ReachTarget> targets;
    for (const auto& machine : picture_.tokens.machines()) {
        const auto at = picture_.view.hosts.find(machine.host);
        if (at == picture_.view.hosts.end() || machine.foreign || targets.size() >= targets_max) continue;
        const auto& host = at->second;
        if (host.liveness != Liveness::live || host.incarnation != machine.incarnation || host.public_ip.empty() || host.proxy_port == 0) continue;
        targets.push_back({host.host, fmt::format("{}:{}", in_url(host.public_ip), host.proxy_port)});
    }
    std::erase_if(picture_.reached, [&](const auto& one) { return !picture_.tokens.machine(one.first); });
    if (!targets.empty()) reach_->look_at(std::move(targets));
}

void Process::note_reach(const HostId& host, std::string why) {
    if (!picture_.tokens.machine(host)) return;
    auto& known = picture_.reached[host];
    if (!why.empty() && why != known.why) log_warn("host.not_reached", {{"host", host}, {"why", why}});
    known = {why.empty(), std::move(why), loop_.now()};
}

}  // namespace berth::gateway
