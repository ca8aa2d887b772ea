// SPDX-License-Identifier: Apache-2.0
// berth-broker: carries events and requests between peers whose keys it knows.
#include "base/diagnostics.hpp"
#include "broker/process.hpp"
#include "shell/serve.hpp"

namespace {

berth::Result<void> run(berth::shell::Ground& ground) {
    auto policy = TRY(berth::read_section<berth::broker::Policy>(ground.config, "broker"));
    const auto process = TRY(berth::broker::Process::open(ground.loop, std::move(policy), ground.flags.state));
    ground.ready.serves();
    berth::log_info("ready", {{"events_in", process->addresses().events_in},
                              {"events_out", process->addresses().events_out},
                              {"requests", process->addresses().requests}});
    ground.loop.run();
    berth::log_info("stopped");
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    return berth::shell::serve(argc, argv,
                               {.name = "broker", .role = berth::Role::broker,
                                .what = "Carries berth's events and requests between the peers whose keys it knows.", .reads = "[broker] is read"},
                               run);
}
