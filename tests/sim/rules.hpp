// SPDX-License-Identifier: Apache-2.0
// One invariant = one small named rule. Rules look at each new fact (with the model as it was
// before), at what truly is after each event, at what clients were told, and at the healed world.
// They share no code with the cores.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/carried.hpp"
#include "tests/sim/history.hpp"
#include "tests/sim/model.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/sim_host.hpp"
#include "tests/sim/sim_ledger.hpp"
#include "tests/sim/truth.hpp"

namespace berth::sim {

struct Violation {
    std::string rule;                     // "I1"
    std::string text;
};

/// All that a rule may look at.
struct Scene {
    const World& world;
    const Truth& truth;
    const SimDisk& ledger;
    const std::vector<std::shared_ptr<SimHost>>& hosts;
    const std::map<std::string, Instance>& instances; // as the provider has them
    const Options& options;
    std::function<bool(const HostRef&, Instant before)> is_heard;   // by the serving allocator, in its life
    Model model = {};
};

class Rule {
public:
    explicit Rule(std::string name) : name_(std::move(name)) {}
    virtual ~Rule() = default;

    virtual void before(const Scene&, const FactRecord&) {}
    virtual void moment(const Scene&) {}              // containers, machines or ledger changed
    virtual void told(const Scene&, const Call&) {}
    virtual void carried(const Scene&, const Carried&) {}
    virtual void healed(const Scene&) {}
    virtual void restored() {}                        // what clients were told until now may not be in the ledger

    const std::optional<Violation>& broken() const { return broken_; }

protected:
    void require(bool holds, const std::string& text) {
        if (!holds && !broken_) broken_ = Violation{name_, text};
    }

private:
    std::string name_;
    std::optional<Violation> broken_;
};

using Rules = std::vector<std::unique_ptr<Rule>>;
template <class... Each>
Rules rules_of() {
    Rules rules;
    (rules.push_back(std::make_unique<Each>()), ...);
    return rules;
}
Rules ledger_rules();                     // rules_ledger.cpp: of facts alone
Rules truth_rules();                      // rules_truth.cpp: of what truly is
Rules fleet_rules();                      // rules_fleet.cpp: of machines that come and go
Rules bus_rules();                        // rules_bus.cpp: of what the broker carried
Rules client_rules();                     // rules_client.cpp: of what clients were told
Rules healing_rules();                    // rules_healing.cpp: I7, I19, I29

/// Runs them all; remembers the first that was broken.
class Invariants {
public:
    explicit Invariants(Scene scene);

    void after_each_event();
    void told(const Call& call);
    void carried(const Carried& what);
    void after_healing();
    const std::optional<Violation>& broken() const { return broken_; }
    const Model& model() const { return scene_.model; }
    /// The ledger was cut back to an old copy: what is known of it is read anew.
    void read_again();

private:
    void read_new_facts();
    void judge(const Rule& rule);

    Scene scene_;
    Rules rules_;
    Rules bus_rules_;                     // alone in hearing of each message
    std::size_t facts_read_ = 0;
    std::optional<Instant> restored_at_;  // what clients asked before is not judged: it may be lost
    std::uint64_t changes_seen_ = ~std::uint64_t{0};
    std::optional<Violation> broken_;
};

}  // namespace berth::sim
