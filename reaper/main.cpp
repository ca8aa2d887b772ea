// SPDX-License-Identifier: Apache-2.0
// berth-reaper: finds what is over: idle, expired, silent, gone, orphaned.
#include "base/diagnostics.hpp"
#include "reaper/process.hpp"
#include "shell/serve.hpp"

namespace {

berth::Result<void> run(berth::shell::Ground& ground) {
    auto policy = TRY(berth::reaper::read_policy(ground.config));
    const auto endpoint = TRY(ground.connect());
    const berth::reaper::Process process(ground.loop, *endpoint, std::move(policy));
    ground.ready.serves();
    berth::log_info("ready");
    ground.loop.run();
    berth::log_info("stopped");
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    return berth::shell::serve(argc, argv,
                               {.name = "reaper", .role = berth::Role::reaper,
                                .what = "Finds what is over: idle or expired workspaces, silent and ended hosts, orphaned instances.",
                                .reads = "[reaper] is read, and how often hosts speak"},
                               run);
}
