// SPDX-License-Identifier: Apache-2.0
#include "proxy/edge_main.hpp"

#include <signal.h>

#include <thread>

#include "base/check.hpp"
#include "base/config.hpp"
#include "base/diagnostics.hpp"
#include "bus/follower.hpp"
#include "bus/zmq_endpoint.hpp"
#include "proxy/edge.hpp"

namespace berth::proxy {

namespace {

/// [edge], and from [hostagent] the name that stands in links.
Result<EdgePolicy> read_policy(const std::string& path) {
    auto config = TRY(Config::load(path));
    for (const std::string key : {"public_domain", "apps_domain"}) {
        const auto links = config.find("hostagent", key);
        if (links && !links->value.empty() && !config.find("edge", "apps_domain")) config.set("edge", "apps_domain", links->value, links->origin);
    }
    return read_section<EdgePolicy>(config, "edge");
}

}  // namespace

Result<void> run_edge(const EdgeOptions& options) {
    auto policy = TRY(read_policy(options.config));
    const RealClock clock;
    EdgeMap map;
    // The signals are for the thread that serves browsers.
    sigset_t ending;
    ::sigemptyset(&ending);
    ::sigaddset(&ending, SIGTERM);
    ::sigaddset(&ending, SIGINT);
    bus::ZmqLoop loop(clock);
    const auto endpoint = TRY(bus::ZmqEndpoint::open(loop, TRY(bus::read_connection(options.bus, options.keys, {options.name, Role::tap}))));
    bus::Follower::Handlers handlers;
    handlers.on_view = [&map](ViewReply reply) {
        log_info("ledger.followed", {{"position", reply.view.position.value}, {"workspaces", reply.view.workspaces.size()}});
        map.replace(std::move(reply.view));
    };
    handlers.on_fact = [&map](const FactRecord& record) { map.apply(record); };
    handlers.on_lost = [](const std::string& why) { log_warn("ledger.lost", {{"why", why + "; the ways known last are gone on with"}}); };
    const bus::Follower follower(loop, *endpoint, std::move(handlers));
    const auto edge = TRY(Edge::open(std::move(policy), clock, map));
    log_info("ready", {{"port", edge->port()}});
    sigset_t before;
    check(::pthread_sigmask(SIG_BLOCK, &ending, &before) == 0, "signals can be blocked");
    std::thread listening([&loop] { loop.run(); });
    check(::pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0, "and let in again");
    edge->run();
    loop.stop();
    listening.join();
    log_info("stopped");
    return {};
}

}  // namespace berth::proxy
