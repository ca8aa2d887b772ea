// SPDX-License-Identifier: Apache-2.0
// How a load talks to the harness (bench/plumbing/turns.py): one JSON line when it is ready, then for each
// line that comes in, {"do": name, …}, one line with the figures. It ends with its input.
#pragma once

#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace berth::bench {

using Json = nlohmann::json;

inline void say(const Json& line) {
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
}

inline int serve_turns(const Json& ready, const std::map<std::string, std::function<Json(const Json&)>>& verbs) {
    say(ready);
    std::string line;
    while (std::getline(std::cin, line)) {
        try {
            const auto asked = Json::parse(line);
            say(verbs.at(asked.at("do").get<std::string>())(asked));
        } catch (const std::exception& error) {
            say({{"error", std::string{error.what()} + "; asked was " + line.substr(0, 200)}});
        }
    }
    return 0;
}

}  // namespace berth::bench
