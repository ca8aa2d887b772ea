// SPDX-License-Identifier: Apache-2.0
// Rules of what clients were told, compared with the ledger.
#include <fmt/format.h>

#include "tests/sim/rules.hpp"

namespace berth::sim {

namespace {

struct ToldIsDurable final : Rule {
    ToldIsDurable() : Rule("I5") {}
    void told(const Scene& scene, const Call& call) override {
        if (call.end != CallEnd::ok || call.epoch == 0) return;
        const auto* lease = scene.model.lease({call.workspace}, {call.epoch});
        require(lease != nullptr && !lease->lost, fmt::format("{} was told of {} at epoch {}, which is not in the ledger", call.client, call.workspace, call.epoch));
    }
};

struct KeyHasOneOutcome final : Rule {
    KeyHasOneOutcome() : Rule("I6") {}
    void told(const Scene&, const Call& call) override {
        const bool grant = (call.kind == CallKind::claim || call.kind == CallKind::outcome) && call.end == CallEnd::ok;
        if (!grant) return;
        const auto outcome = fmt::format("{} at epoch {}", call.workspace, call.epoch);
        const auto [at, fresh] = outcomes_.emplace(std::pair{call.client, call.key}, outcome);
        require(fresh || at->second == outcome, fmt::format("key {} of {} had two outcomes: {} and {}", call.key, call.client, at->second, outcome));
    }

    void restored() override { outcomes_.clear(); }

private:
    std::map<std::pair<std::string, std::string>, std::string> outcomes_;
};

// What was acknowledged at a position stands in the ledger there: no lease of the target runs on.
struct ReleaseIsRecorded final : Rule {
    ReleaseIsRecorded() : Rule("I8") {}
    void told(const Scene& scene, const Call& call) override {
        const bool ends = call.kind == CallKind::release || call.kind == CallKind::destroy;
        if (!ends || call.end != CallEnd::ok) return;
        require(call.position <= scene.model.position, fmt::format("{} was told of position {}, which is not in the ledger", call.client, call.position));
        for (const auto& [name, lease] : scene.model.leases) {
            const bool target = call.workspace.empty() ? lease.user.value == call.client && lease.project.value == call.project
                                                       : name.first.value == call.workspace;
            const bool ran = !lease.lost && lease.granted <= call.position && (lease.ended == 0 || lease.ended > call.position);
            require(!target || !ran, fmt::format("the {} of {} at epoch {} was acknowledged at {}, and its lease ran on", to_string(call.kind),
                                                 name.first.value, name.second.value, call.position));
        }
    }
};

}  // namespace

Rules client_rules() { return rules_of<ToldIsDurable, KeyHasOneOutcome, ReleaseIsRecorded>(); }

}  // namespace berth::sim
