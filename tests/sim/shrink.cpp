// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/shrink.hpp"

#include <algorithm>
#include <vector>

namespace berth::sim {

namespace {

class Shrinker {
public:
    Shrinker(Shrunk& best, const Breaks& breaks, std::uint64_t runs_max) : best_(best), breaks_(breaks), runs_max_(runs_max) {}

    void run() {
        if (!keeps(best_.recipe)) return;
        best_.faults_before = struck_.size();
        fewer_kinds();
        fewer_people();
        fewer_kinds();
        fewer_faults();
    }

private:
    bool may_run() const { return best_.runs < runs_max_; }

    bool keeps(const Recipe& recipe) {
        ++best_.runs;
        Cluster cluster(options_of(recipe));
        const auto outcome = cluster.run();
        const auto broken = breaks_(outcome);
        if (!broken) return false;
        best_.recipe = recipe;
        best_.text = *broken;
        struck_.clear();
        for (const auto& strike : outcome.schedule) struck_.push_back(strike.number);
        best_.faults = struck_.size();
        return true;
    }

    // A kind that is not needed takes all its strikes with it.
    void fewer_kinds() {
        for (const auto& kind : kinds_of(options_of(best_.recipe).faults)) {
            if (!may_run()) return;
            auto candidate = best_.recipe;
            candidate.without.insert(kind);
            keeps(candidate);
        }
    }

    void fewer_people() {
        const auto options = options_of(best_.recipe);
        for (std::uint32_t users = 1; users < options.users && may_run(); ++users) {
            auto candidate = best_.recipe;
            candidate.users = users;
            if (keeps(candidate)) break;
        }
        for (auto safety = Duration{5'000}; safety < options.safety && may_run(); safety *= 2) {
            auto candidate = best_.recipe;
            candidate.safety = safety;
            if (keeps(candidate)) break;
        }
    }

    // Delta debugging (Zeller, 2002): leave out ever smaller parts, as long as it stays broken.
    void fewer_faults() {
        std::size_t parts = 2;
        while (!struck_.empty() && may_run()) {
            const auto all = struck_;
            const auto size = (all.size() + parts - 1) / parts;
            bool smaller = false;
            for (std::size_t begin = 0; begin < all.size() && !smaller && may_run(); begin += size) {
                auto candidate = best_.recipe;
                candidate.only.emplace(all.begin(), all.end());
                const auto end = std::min(all.size(), begin + size);
                for (auto index = begin; index < end; ++index) candidate.only->erase(all[index]);
                smaller = keeps(candidate) && struck_.size() < all.size();
            }
            if (smaller) {
                parts = std::max<std::size_t>(2, parts - 1);
            } else if (size == 1) {
                return;
            } else {
                parts = std::min(all.size(), parts * 2);
            }
        }
    }

    Shrunk& best_;
    const Breaks& breaks_;
    std::uint64_t runs_max_;
    std::vector<std::uint64_t> struck_;
};

}  // namespace

Breaks breaks_rule(std::string rule) {
    return [rule = std::move(rule)](const Outcome& outcome) -> std::optional<std::string> {
        if (!outcome.violation || outcome.violation->rule != rule) return std::nullopt;
        return outcome.violation->text;
    };
}

Shrunk shrink(const Recipe& recipe, const Breaks& breaks, std::uint64_t runs_max) {
    Shrunk best{.recipe = recipe};
    Shrinker(best, breaks, runs_max).run();
    return best;
}

}  // namespace berth::sim
