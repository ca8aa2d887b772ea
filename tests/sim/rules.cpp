// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/rules.hpp"

#include <iterator>
#include <utility>

namespace berth::sim {

Invariants::Invariants(Scene scene) : scene_(std::move(scene)) {
    for (auto* family : {&ledger_rules, &truth_rules, &fleet_rules, &client_rules, &healing_rules}) {
        auto rules = (*family)();
        std::move(rules.begin(), rules.end(), std::back_inserter(rules_));
    }
    bus_rules_ = bus_rules();
}

void Invariants::after_each_event() {
    if (broken_) return;
    const bool changed = scene_.ledger.size() != facts_read_ || scene_.truth.changes != changes_seen_;
    if (!changed) return;
    read_new_facts();
    changes_seen_ = scene_.truth.changes;
    for (const auto& rule : rules_) {
        rule->moment(scene_);
        judge(*rule);
    }
}

void Invariants::read_new_facts() {
    if (scene_.ledger.size() < facts_read_) {
        broken_ = Violation{"I4", "the ledger lost facts that were appended"};
        return;
    }
    for (; facts_read_ < scene_.ledger.size(); ++facts_read_) {
        const auto record = scene_.ledger.at(facts_read_);
        for (const auto& rule : rules_) {
            rule->before(scene_, record);
            judge(*rule);
        }
        scene_.model.apply(record);
    }
}

void Invariants::told(const Call& call) {
    if (broken_ || (restored_at_ && call.began_at < *restored_at_)) return;
    read_new_facts();
    for (const auto& rule : rules_) {
        rule->told(scene_, call);
        judge(*rule);
    }
}

void Invariants::carried(const Carried& what) {
    if (broken_) return;
    for (const auto& rule : bus_rules_) {
        rule->carried(scene_, what);
        judge(*rule);
    }
}

void Invariants::after_healing() {
    if (broken_) return;
    read_new_facts();
    for (const auto* family : {&rules_, &bus_rules_}) {
        for (const auto& rule : *family) {
            rule->healed(scene_);
            judge(*rule);
        }
    }
}

void Invariants::read_again() {
    restored_at_ = scene_.world.now;
    for (const auto& rule : rules_) rule->restored();
    const auto before = std::exchange(scene_.model, {});
    for (facts_read_ = 0; facts_read_ < scene_.ledger.size(); ++facts_read_) scene_.model.apply(scene_.ledger.at(facts_read_));
    scene_.model.remember_lost(before);
}

void Invariants::judge(const Rule& rule) {
    if (!broken_ && rule.broken()) broken_ = rule.broken();
}

}  // namespace berth::sim
