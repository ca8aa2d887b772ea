// SPDX-License-Identifier: Apache-2.0
// Completion scripts are accepted by their shells and offer commands and flags.
#include "cli/completion.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>

namespace berth::cli {
namespace {

const std::vector<CommandWords> commands{{"claim", "Get it: it's yours", {"--user", "--wait"}, false},
                                         {"open", "Open it", {"--print"}, true},
                                         {"hosts", "List them", {"--all"}, false, {"cordon", "end"}}};

std::string output_of(const std::string& command) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    std::string text;
    char part[512];
    while (pipe && std::fgets(part, sizeof part, pipe.get()) != nullptr) text += part;
    return text;
}

TEST(Completion, BashOffersCommandsThenFlags) {
    const auto file = ::testing::TempDir() + "berth_completion_test.bash";
    std::ofstream(file) << bash_completion(commands);
    const auto complete = [&](const std::string& words, int at) {
        return output_of("bash -c '. " + file + "; COMP_WORDS=(" + words + "); COMP_CWORD=" + std::to_string(at) +
                         "; _berth; echo \"${COMPREPLY[*]}\"' 2>&1");
    };
    EXPECT_EQ(complete("berth cl", 1), "claim\n");
    EXPECT_EQ(complete("berth \"\"", 1), "claim open hosts\n");
    EXPECT_EQ(complete("berth claim --u", 2), "--user\n");
    EXPECT_EQ(complete("berth hosts e", 2), "end\n");
    EXPECT_EQ(complete("berth --state claim open --p", 4), "--print\n");  // "claim" is a folder here
    EXPECT_EQ(complete("berth --state /dev/nul", 2), "/dev/null\n");
    // Names of workspaces are asked of the same berth, with the flags that were typed.
    const auto berth = ::testing::TempDir() + "berth";
    std::ofstream(berth) << "#!/bin/sh\necho \"w1 w2-$2\"\n";
    ASSERT_EQ(::chmod(berth.c_str(), 0700), 0);
    EXPECT_EQ(complete(berth + " --state s open w", 4), "w1 w2-s\n");
}

TEST(Completion, ZshAndFishNameEachCommandOnce) {
    const auto zsh = zsh_completion(commands);
    EXPECT_NE(zsh.find("'claim:Get it, it'\\''s yours'"), std::string::npos);
    EXPECT_NE(zsh.find("claim) flags=(--user --wait) ;;"), std::string::npos);
    const auto fish = fish_completion(commands);
    EXPECT_NE(fish.find("-a claim -d 'Get it: it'\\''s yours'"), std::string::npos);
    EXPECT_NE(fish.find("__fish_seen_subcommand_from open' -l print"), std::string::npos);
    EXPECT_NE(fish.find("__fish_seen_subcommand_from open' -a '(berth list -o name"), std::string::npos);
}

}  // namespace
}  // namespace berth::cli
