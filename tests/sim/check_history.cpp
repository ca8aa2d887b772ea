// SPDX-License-Identifier: Apache-2.0
// Judges a history that clients of real processes wrote (history_file.hpp): is there an order of all
// calls in which every answer is true?
//
//   check_history FILE.jsonl
#include <fmt/format.h>

#include <iostream>

#include "tests/sim/history_file.hpp"
#include "tests/sim/linear.hpp"

int main(int argc, char** argv) {
    using namespace berth::sim;
    if (argc != 2) {
        std::cerr << "check_history FILE.jsonl\n";
        return 2;
    }
    const auto history = read_history(argv[1]);
    if (!history) {
        std::cerr << history.error().text << "\n";
        return 2;
    }
    const auto outcome = check_linear(*history);
    std::cout << fmt::format("{} calls, {} states searched: {}\n{}\n", outcome.calls, outcome.searched, berth::to_string(outcome.verdict), outcome.text);
    return outcome.verdict == LinearVerdict::linear ? 0 : 1;
}
