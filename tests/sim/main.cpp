// SPDX-License-Identifier: Apache-2.0
// Runs simulated worlds by seed. The first line of a failure reproduces it.
//
//   sim_tests                        one seed, after all of --file
//   sim_tests --seed=N --trace       one seed, with every letter and fault
//   sim_tests --seed=N --seeds=K     K seeds from N on; --seconds=S goes on for so long
//   sim_tests --seed=N --shrink      the smallest form of that failure, as a line for seeds.txt
//   sim_tests --scope=K              every order of small worlds with up to K faults
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>

#include "tests/sim/cluster.hpp"
#include "tests/sim/history_file.hpp"
#include "tests/sim/scope.hpp"
#include "tests/sim/shrink.hpp"

namespace {

using namespace berth;
using namespace berth::sim;

char reproduce_line[512];   // for the signal handler: a core's check() aborts

void print_reproduce(int) {
    (void)!write(STDOUT_FILENO, reproduce_line, std::strlen(reproduce_line));
    _exit(3);
}

/// Marks are branches that were reached; all other counts are of faults.
bool is_mark(const std::string& name) {
    return name.starts_with("reached ");
}

struct Totals {
    std::uint64_t seeds = 0, events = 0, facts = 0, calls = 0, failures = 0;
    Duration virtual_time{0};
    std::map<std::string, std::uint64_t> counted;
};

struct Arguments {
    std::uint64_t seed = 1;
    std::uint64_t seeds = 1;
    std::uint64_t seconds = 0;
    std::uint64_t shrink = 0;
    std::optional<std::uint32_t> scope;
    bool trace = false;
    bool twice = false;
    bool hashes = false;
    std::string file;
    std::string sometimes;
    std::string history;
};

void print_failure(const Cluster& cluster, const Options& options, const Outcome& outcome, const Arguments& arguments) {
    std::cout << reproduce_line << "broken: " << outcome.violation->rule << ": " << outcome.violation->text << "\n"
              << "options: " << describe(options) << "\n";
    constexpr std::size_t facts_shown = 30;
    const auto& ledger = cluster.ledger();
    for (auto index = ledger.size() > facts_shown && !arguments.trace ? ledger.size() - facts_shown : 0; index < ledger.size(); ++index) {
        const auto record = ledger.at(index);
        std::string subjects;
        for (const auto& subject : subjects_of(record.fact)) subjects += " " + subject;
        std::cout << fmt::format("  #{} {} {}{}: {}\n", record.position.value, to_rfc3339(record.at), type_of(record.fact), subjects, record.reason.why());
    }
}

bool run_one(const Recipe& recipe, const Arguments& arguments, Totals& totals) {
    const auto line = text_of(recipe);
    std::snprintf(reproduce_line, sizeof reproduce_line, "reproduce: sim_tests --recipe='%.400s' --trace\n", line.c_str());
    const auto options = options_of(recipe);
    Cluster cluster(options);
    if (arguments.trace) cluster.trace();
    auto outcome = cluster.run();
    if (arguments.twice && !outcome.violation) {
        Cluster again(options);
        if (again.run().ledger_hash != outcome.ledger_hash) {
            outcome.violation = Violation{"determinism", "the same seed gave two ledgers"};
        }
    }
    if (arguments.hashes) std::cout << fmt::format("{} {:016x}\n", recipe.seed, outcome.ledger_hash);
    for (const auto& note : cluster.world().trace) std::cout << note << "\n";
    if (outcome.violation) {
        print_failure(cluster, options, outcome, arguments);
        if (arguments.shrink > 0) {
            const auto shrunk = shrink(recipe, breaks_rule(outcome.violation->rule), arguments.shrink);
            std::cout << fmt::format("shrunk from {} to {} faults in {} runs: {}\n{}\n", shrunk.faults_before, shrunk.faults, shrunk.runs, shrunk.text,
                                     text_of(shrunk.recipe));
        }
    }
    if (!arguments.history.empty()) {
        if (const auto written = write_history(arguments.history, cluster.history()); !written) {
            outcome.violation = Violation{"history", written.error().text};
            std::cout << written.error().text << "\n";
        }
    }
    ++totals.seeds;
    totals.events += outcome.events;
    totals.facts += outcome.facts;
    totals.calls += outcome.calls;
    totals.virtual_time += outcome.virtual_time;
    totals.failures += outcome.violation ? 1 : 0;
    for (const auto& [name, count] : outcome.counted) totals.counted[name] += count;
    return !outcome.violation;
}

void print_totals(const Totals& totals, double seconds) {
    const auto hours = static_cast<double>(totals.virtual_time.count()) / 3'600'000;
    std::uint64_t faults = 0;
    for (const auto& [name, count] : totals.counted) faults += is_mark(name) ? 0 : count;
    std::cout << fmt::format("{} seeds, {} failed; {:.1f} virtual hours, {} faults, {} events, {} facts, {} calls checked; {:.1f} s, {:.0f} virtual s per s, {:.1f} seeds per s\n",
                             totals.seeds, totals.failures, hours, faults, totals.events, totals.facts, totals.calls, seconds,
                             hours * 3600 / std::max(seconds, 0.001), static_cast<double>(totals.seeds) / std::max(seconds, 0.001));
    for (const auto& [name, count] : totals.counted) std::cout << fmt::format("  {} {}\n", name, count);
}

std::vector<std::string> lines_of(const std::string& path) {
    std::vector<std::string> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (!line.empty() && line[0] != '#') lines.push_back(line);
    }
    return lines;
}

// Rare branches that no seed reached: a suite that never gets there proves nothing about them.
bool all_reached(const Totals& totals, const std::string& path) {
    bool all = true;
    for (const auto& line : lines_of(path)) {
        if (totals.counted.contains("reached " + line)) continue;
        std::cout << fmt::format("no seed reached '{}' ({})\n", line, path);
        all = false;
    }
    return all;
}

bool run_scope(std::uint32_t strikes) {
    std::uint64_t all = 0;
    bool good = true;
    for (const auto& limits : scope_worlds(strikes)) {
        const auto begin = std::chrono::steady_clock::now();
        const auto progress = [](std::uint64_t states) {
            if (isatty(STDERR_FILENO) == 1) std::cerr << fmt::format("  {} states so far\r", states);
        };
        const auto outcome = explore(limits, progress);
        const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        all += outcome.states;
        good = good && outcome.complete;
        std::cout << fmt::format("{}: {} distinct states ({} of single actors, {} packets), {} steps, {} results; {:.1f} s, {}\n{}", describe(limits),
                                 outcome.states, outcome.actors, outcome.packets, outcome.steps, outcome.results.size(), seconds,
                                 outcome.complete ? "complete" : "NOT complete", outcome.broken.empty() ? "" : "broken: " + outcome.broken + "\n") << std::flush;
    }
    std::cout << fmt::format("{} distinct states in all\n", all);
    return good;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"simulated worlds of berth, by seed"};
    std::string recipe_line;
    app.add_option("--seed", arguments.seed, "the first seed");
    app.add_option("--seeds", arguments.seeds, "how many");
    app.add_option("--seconds", arguments.seconds, "go on for so long instead");
    app.add_option("--recipe", recipe_line, "one run, as a failure or --shrink printed it");
    app.add_option("--file", arguments.file, "recipes to run before all others, one a line");
    app.add_option("--sometimes", arguments.sometimes, "a file of marks, each of which some seed must reach");
    app.add_option("--shrink", arguments.shrink, "make a failure small, in up to so many runs")->expected(0, 1)->default_str("400");
    app.add_option("--scope", arguments.scope, "visit every order of small worlds with up to so many faults")->check(CLI::Range(0, 3));
    app.add_option("--history", arguments.history, "write there what the clients of the last run saw, for check_history");
    app.add_flag("--trace", arguments.trace, "print every letter and fault");
    app.add_flag("--twice", arguments.twice, "run each seed twice and compare");
    app.add_flag("--hashes", arguments.hashes, "print the hash of each ledger");
    CLI11_PARSE(app, argc, argv);
    std::signal(SIGABRT, print_reproduce);

    if (arguments.scope) return run_scope(*arguments.scope) ? 0 : 1;
    const auto begin = std::chrono::steady_clock::now();
    const auto passed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
    Totals totals;
    bool good = true;
    std::vector<std::string> recipes;
    if (!arguments.file.empty()) recipes = lines_of(arguments.file);
    if (!recipe_line.empty()) {
        recipes.push_back(recipe_line);
        arguments.seeds = 0;
    }
    for (const auto& line : recipes) {
        const auto recipe = read_recipe(line);
        if (!recipe) {
            std::cerr << recipe.error().text << "\n";
            return 2;
        }
        good = run_one(*recipe, arguments, totals) && good;
    }
    for (std::uint64_t index = 0; good && (arguments.seconds > 0 ? passed() < static_cast<double>(arguments.seconds) : index < arguments.seeds); ++index) {
        good = run_one({.seed = arguments.seed + index}, arguments, totals) && good;
    }
    if (!arguments.hashes) print_totals(totals, passed());
    if (good && !arguments.sometimes.empty()) good = all_reached(totals, arguments.sometimes);
    return good ? 0 : 1;
}
