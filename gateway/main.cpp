// SPDX-License-Identifier: Apache-2.0
// berth-gateway: the HTTP API, the event streams and the dashboard.
#include "base/diagnostics.hpp"
#include "gateway/process.hpp"
#include "shell/serve.hpp"

namespace {

namespace gateway = berth::gateway;

berth::Result<void> run(berth::shell::Ground& ground) {
    gateway::Policies policies{TRY(berth::read_section<gateway::Policy>(ground.config, "gateway")),
                               TRY(berth::read_section<gateway::CompatPolicy>(ground.config, "compat")),
                               TRY(berth::read_section<gateway::OidcPolicy>(ground.config, "oidc")),
                               TRY(berth::read_section<gateway::FrontPolicy>(ground.config, "front"))};
    auto for_hosts = TRY(gateway::read_host_settings(ground.flags.config));
    const auto process = TRY(gateway::Process::open(ground.loop, std::move(policies), std::move(for_hosts), ground.flags.state));
    process->start();
    ground.ready.serves();
    berth::log_info("ready", {{"url", process->url()}});
    ground.loop.run();
    berth::log_info("stopped");
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    return berth::shell::serve(argc, argv,
                               {.name = "gateway", .role = berth::Role::gateway,
                                .what = "Serves berth's HTTP API, event streams and dashboard.", .reads = "[gateway], [oidc], [compat] and [front] are read"},
                               run);
}
