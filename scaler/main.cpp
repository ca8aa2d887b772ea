// SPDX-License-Identifier: Apache-2.0
// berth-scaler: keeps as many hosts as the pools' policies want, from each pool's provider.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/diagnostics.hpp"
#include "base/rng.hpp"
#include "events/pools_config.hpp"
#include "scaler/process.hpp"
#include "scaler/providers/aws/asg.hpp"
#include "scaler/providers/aws/ec2.hpp"
#include "scaler/providers/local/local.hpp"
#include "scaler/worker.hpp"
#include "shell/serve.hpp"

namespace {

namespace scaler = berth::scaler;

constexpr berth::Duration stop_wait{1'000};

berth::Result<scaler::Providers> open_providers(berth::shell::Ground& ground) {
    auto policy = TRY(berth::read_section<scaler::LocalPolicy>(ground.config, "provider.local"));
    const auto path = [](const std::string& name) { return name.empty() ? name : std::filesystem::absolute(name).lexically_normal().string(); };
    scaler::LocalSetup setup{path(ground.flags.state), path(ground.flags.config), ground.flags.log_level};
    scaler::Providers providers;
    providers["local"] = scaler::on_a_thread(ground.loop, TRY(scaler::LocalProvider::open(ground.clock, std::move(policy), std::move(setup))));
    std::vector<berth::PoolDefined> of_groups, of_ec2;
    for (const auto& pool : TRY(berth::read_pools(ground.config))) {
        if (pool.provider == berth::static_provider) continue;   // its hosts enrol themselves; none is launched
        if (pool.provider == "aws-asg") {
            of_groups.push_back(pool);
        } else if (pool.provider == "aws-ec2") {
            of_ec2.push_back(pool);
        } else if (!providers.contains(pool.provider)) {
            return berth::fail(berth::ErrorKind::invalid, "[pool.{}] provider = \"{}\": only \"local\", \"static\", \"aws-asg\" and \"aws-ec2\" are known", pool.pool.value,
                               pool.provider);
        }
    }
    const auto aws = TRY(berth::read_section<scaler::AwsPolicy>(ground.config, "provider.aws"));
    if (!of_groups.empty()) {
        providers["aws-asg"] = scaler::on_a_thread(
            ground.loop, TRY(scaler::AsgProvider::open(ground.clock, aws, berth::aws::own_environment(), ground.config, of_groups)));
    }
    if (!of_ec2.empty()) {
        providers["aws-ec2"] =
            scaler::on_a_thread(ground.loop, TRY(scaler::Ec2Provider::open(ground.clock, aws, berth::aws::own_environment(), ground.config, of_ec2)));
    }
    return providers;
}

berth::Result<void> run(berth::shell::Ground& ground) {
    auto policy = TRY(berth::read_section<scaler::Policy>(ground.config, "scaler"));
    const auto providers = TRY(open_providers(ground));
    const auto endpoint = TRY(ground.connect());
    const berth::Rng rng(std::stoull(berth::random_hex(8), nullptr, 16));
    scaler::Process process(ground.loop, *endpoint, std::move(policy), rng, providers);
    endpoint->when_serving([&ground] {
        ground.ready.serves();
        berth::log_info("ready");
    });
    ground.loop.run();
    ground.ready.ends();
    const bool idle = process.stop(stop_wait);
    berth::log_info("stopped", {{"provider", idle ? "idle" : "in the middle of a call, which the next scaler repeats"}});
    if (!idle) {                              // its thread cannot be joined
        if (process.failure()) std::fprintf(stderr, "berth-scaler: %s\n", process.failure()->text.c_str());
        ::_exit(process.failure() ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    if (process.failure()) return berth::fail(*process.failure());
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    return berth::shell::serve(argc, argv,
                               {.name = "scaler", .role = berth::Role::scaler, .what = "Keeps as many hosts as the pools want; gives back what is idle for long.",
                                .reads = "[scaler], [provider.*] and [pool.*] are read"},
                               run);
}
