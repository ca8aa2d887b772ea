// SPDX-License-Identifier: Apache-2.0
// Does the simulation see what it claims to see? Each planted bug runs in a process of its own, seed
// after seed, until a rule or a check() of the cores notices; a bug that nobody notices within the
// bound is a failure of the simulation. First of all, without any bug, nothing may be noticed.
//
//   planted_tests                      every bug, up to 400 seeds each
//   planted_tests --bug=NAME --seeds=N one of them; --list names them
//   planted_tests --scope=K            the small worlds in place of seeds. They have no scaler, reaper,
//                                      idleness or restored ledger: not every bug can be noticed there
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <optional>
#include <set>
#include <sstream>

#include "tests/sim/cluster.hpp"
#include "tests/sim/planted/planted.hpp"
#include "tests/sim/scope.hpp"
#include "tests/sim/shrink.hpp"

namespace {

using namespace berth;
using namespace berth::sim;

/// What a child found, through its pipe: "<seeds> <rule>\n<text>".
struct Finding {
    bool found = false;
    std::uint64_t seeds = 0;
    std::string rule;
    std::string text;
};

void write_all(int to, const std::string& text) { (void)!write(to, text.data(), text.size()); }

/// Where a bug is looked for: seeds from `first` on, or the small worlds.
struct Ground {
    std::uint64_t first = 1;
    std::uint64_t seeds = 400;
    std::optional<std::uint32_t> scope;
    std::uint64_t shrink = 0;
    bool verbose = false;
};

void say(int to, std::string_view rule, std::string_view text) { write_all(to, fmt::format("! {}\n{}\n", rule, text)); }

[[noreturn]] void hunt_in_scope(int to, std::uint32_t strikes) {
    std::uint64_t number = 0;
    for (auto limits : scope_worlds(strikes)) {
        limits.states_max = 3'000'000;                    // a bug may make a world without end
        write_all(to, fmt::format("{}\n", ++number));
        const auto outcome = explore(limits);
        if (outcome.broken.empty()) continue;
        const auto colon = outcome.broken.find(": ");
        say(to, outcome.broken.substr(0, colon), outcome.broken.substr(colon + 2));
        _exit(1);
    }
    _exit(0);
}

[[noreturn]] void hunt(int to, std::optional<std::size_t> bug, std::string_view often, const Ground& ground) {
    if (bug) plant(*bug);
    if (!ground.verbose) (void)!std::freopen("/dev/null", "w", stderr);
    if (ground.scope) hunt_in_scope(to, *ground.scope);
    for (std::uint64_t index = 0; index < ground.seeds; ++index) {
        write_all(to, fmt::format("{}\n", index + 1));   // an abort leaves the number of its seed
        auto options = choose_options(ground.first + index);
        make_likely(options.faults, often);
        Cluster cluster(std::move(options));
        const auto outcome = cluster.run();
        if (!outcome.violation) continue;
        auto text = outcome.violation->text;
        if (ground.shrink > 0 && often.empty()) {             // a recipe does not say what strikes often
            const auto shrunk = shrink({.seed = ground.first + index}, breaks_rule(outcome.violation->rule), ground.shrink);
            text = fmt::format("shrunk from {} to {} faults in {} runs: {}", shrunk.faults_before, shrunk.faults, shrunk.runs, text_of(shrunk.recipe));
        }
        say(to, outcome.violation->rule, text);
        _exit(1);
    }
    _exit(0);
}

Finding read_findings(int from, pid_t child) {
    std::string all;
    char buffer[4096];
    for (ssize_t got = 0; (got = read(from, buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<std::size_t>(got));
    close(from);
    int status = 0;
    waitpid(child, &status, 0);
    Finding finding;
    std::istringstream lines(all);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("! ")) {
            finding.rule = line.substr(2);
            std::getline(lines, finding.text);
            break;                                         // its text may have more lines
        } else if (!line.empty()) {
            finding.seeds = std::stoull(line);
        }
    }
    finding.found = !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (finding.found && finding.rule.empty()) finding.rule = "check()";
    return finding;
}

struct Hunt {
    std::string name;
    std::optional<std::size_t> bug;
    int pipe = -1;
    pid_t child = 0;
};

Hunt begin(std::string name, std::optional<std::size_t> bug, std::string_view often, const Ground& ground) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const auto child = fork();
    if (child == 0) {
        close(ends[0]);
        hunt(ends[1], bug, often, ground);
    }
    close(ends[1]);
    return {std::move(name), bug, ends[0], child};
}

}  // namespace

int main(int argc, char** argv) {
    std::string only;
    Ground ground;
    std::uint64_t quiet_seeds = 100;
    std::optional<std::size_t> least;
    std::size_t stale = 0;
    bool list = false;
    CLI::App app{"planted bugs: does the simulation find them?"};
    app.add_option("--bug", only, "only this one");
    app.add_option("--first", ground.first, "the first seed");
    app.add_option("--seeds", ground.seeds, "how many seeds a bug may take");
    app.add_option("--quiet-seeds", quiet_seeds, "how many seeds must be quiet without a bug");
    app.add_option("--least", least, "how many bugs have to be found; else all of them");
    app.add_option("--shrink", ground.shrink, "make what broke small, in up to so many runs");
    app.add_option("--scope", ground.scope, "look in the small worlds with up to so many faults instead")->check(CLI::Range(0, 3));
    app.add_flag("--list", list, "name the bugs");
    app.add_flag("--verbose", ground.verbose, "show what check() says");
    CLI11_PARSE(app, argc, argv);

    const auto begin_at = std::chrono::steady_clock::now();
    std::size_t found = 0, hunted = 0;
    std::vector<std::uint64_t> took;
    std::vector<std::string> missed;
    const auto& bugs = planted_bugs();
    const std::string_view places = ground.scope ? "worlds" : "seeds";
    std::set<std::string_view> often{""};
    for (const auto& bug : bugs) {
        if (!ground.scope) often.insert(bug.often);
    }
    for (const auto fault : often) {
        if (!only.empty() || list) break;
        auto quiet_ground = ground;
        quiet_ground.seeds = quiet_seeds;
        const auto quiet = begin("", std::nullopt, fault, quiet_ground);
        const auto finding = read_findings(quiet.pipe, quiet.child);
        if (finding.found) {
            std::cout << fmt::format("without any bug, {} {} is broken{}: {}: {}\n", ground.scope ? "world" : "seed", ground.scope ? finding.seeds : ground.first + finding.seeds - 1,
                                     fault.empty() ? "" : fmt::format(" when {} strikes often", fault), finding.rule, finding.text);
            return 1;
        }
    }
    for (std::size_t bug = 0; bug < bugs.size(); ++bug) {
        const std::string name{bugs[bug].name};
        if (list) std::cout << fmt::format("{:<24} {}\n", name, bugs[bug].about);
        if (list || (!only.empty() && only != name)) continue;
        ++hunted;
        if (bugs[bug].stale) {
            ++stale;
            std::cout << fmt::format("{:<24} STALE: its snippet no longer fits its source\n", name);
            continue;
        }
        const auto hunt_of = begin(name, bug, bugs[bug].often, ground);
        const auto finding = read_findings(hunt_of.pipe, hunt_of.child);
        if (finding.found) {
            ++found;
            took.push_back(finding.seeds);
            std::cout << fmt::format("{:<24} found in {:>3} {} by {}: {}\n", name, finding.seeds, places, finding.rule, finding.text.substr(0, std::min<std::size_t>(ground.shrink > 0 ? 400 : 140, finding.text.find('\n'))));
        } else {
            missed.push_back(name);
            std::cout << fmt::format("{:<24} NOT FOUND in {} {} ({})\n", name, finding.seeds, places, bugs[bug].about);
        }
        std::cout.flush();
    }
    if (list) return 0;
    std::sort(took.begin(), took.end());
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_at).count();
    std::cout << fmt::format("{} of {} planted bugs found; median {} {}; {:.0f} s\n", found, hunted, took.empty() ? 0 : took[took.size() / 2], places, seconds);
    if (ground.scope) return 0;
    return (least ? found >= *least && stale == 0 : missed.empty()) ? 0 : 1;
}
