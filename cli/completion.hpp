// SPDX-License-Identifier: Apache-2.0
// Completion scripts, out of the names and flags of the commands. Pure but for add_completion().
#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"

namespace berth::cli {

struct CommandWords {
    std::string name;
    std::string meaning;
    std::vector<std::string> flags;       // "--user"
    bool takes_workspace = false;
    std::vector<std::string> verbs = {};  // of its own: "cordon"
};

std::string bash_completion(const std::vector<CommandWords>& commands);
std::string zsh_completion(const std::vector<CommandWords>& commands);
std::string fish_completion(const std::vector<CommandWords>& commands);

}  // namespace berth::cli
