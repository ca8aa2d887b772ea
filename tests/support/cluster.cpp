// SPDX-License-Identifier: Apache-2.0
#include "tests/support/cluster.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>

namespace berth::testing {

namespace {

template <class T>
T or_throw(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text);
    return std::move(*result);
}

}  // namespace

Cluster::Cluster(const std::string& config) {
    write_text(this->config(), config);
    std::filesystem::create_directories(folder_ / "log");
    mint("broker", Role::broker);
    mint("allocator", Role::allocator);
    mint("scaler", Role::scaler);
    mint("reaper", Role::reaper);
    mint("gateway", Role::gateway);
    mint("robot", Role::client);
    mint("tap", Role::tap);
}

void Cluster::mint(const std::string& name, Role role) { or_throw(bus::mint_key(folder_ / "keys", name, role)); }

Child& Cluster::start(const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{fmt::format("{}/berth-{}", BERTH_BIN_DIR, name), "--config", config(), "--state", state()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto ready = folder_ / fmt::format("run/{}.ready", name);
    std::filesystem::remove(ready);
    auto& child = children_[name];
    child = std::make_unique<Child>(std::move(arguments), folder_ / fmt::format("log/{}.log", name));
    const bool served = eventually([&] { return std::filesystem::exists(ready) || !child->alive(); }, Duration{30'000});
    if (!served || !child->alive()) throw std::runtime_error("berth-" + name + " did not start: " + log_of(name));
    return *child;
}

bus::Connection Cluster::connection(const std::string& name, Role role) const {
    return or_throw(bus::read_connection(folder_ / "bus.toml", folder_ / "keys", {name, role}));
}

TestPeer::TestPeer(Cluster& cluster, const std::string& name, Role role, Duration ahead)
    : clock_(ahead), endpoint_(or_throw(bus::ZmqEndpoint::open(loop_, cluster.connection(name, role)))) {}

bool TestPeer::until(const std::function<bool()>& is_so, Duration within) {
    const auto deadline = clock_.now() + within;
    const auto timer = loop_.every(Duration{2}, [this] { loop_.stop(); });
    bool so = false;
    while (!(so = is_so()) && clock_.now() < deadline) loop_.run();     // `is_so` may ask, and so run the loop itself
    loop_.cancel(timer);
    return so;
}

}  // namespace berth::testing
