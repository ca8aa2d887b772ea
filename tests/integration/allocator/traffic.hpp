// SPDX-License-Identifier: Apache-2.0
// What the tests of a ledger that several machines reach share: users that claim and release without end, and a
// cluster with one host, whose allocators may run on other machines, too.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/allocator/scripted_host.hpp"
#include "tests/sim/linear.hpp"

namespace berth::testing {

/// What each client saw is its history.
class Traffic {
public:
    explicit Traffic(Cluster& cluster);
    TestPeer& robot() { return robot_; }
    std::uint64_t granted() const { return granted_; }
    const sim::History& history() const { return history_; }
    void end() { over_ = true; }
    bool idle() const { return open_ == 0; }

private:
    sim::Call begin(std::size_t lane, sim::CallKind kind);
    void ended(sim::Call call, bool good, const Error* error);
    void claim(std::size_t lane, std::uint64_t again = 0);
    void release(std::size_t lane, const std::string& workspace);

    TestPeer robot_;
    sim::History history_;
    std::uint64_t numbers_ = 0, granted_ = 0;
    std::size_t open_ = 0;
    bool over_ = false;
};

class OnSharedStore : public ::testing::Test {
protected:
    /// `store` as in [ledger] store; `more` are further lines of the configuration. Its broker runs.
    explicit OnSharedStore(const std::string& store, const std::string& more = "");
    ~OnSharedStore() override;
    /// The first allocator and the host's first words.
    void begin();
    /// The host's own thread: beats, and does what it is told.
    void run_host();
    /// Another machine of the same cluster: its own state folder, the same keys and broker.
    std::unique_ptr<Child> start_other(const std::string& name, const std::vector<std::string>& more);
    /// The first machine's, whatever was there before.
    Child start_first(const std::vector<std::string>& more, const std::string& name);
    /// A command of the first machine's; its exit status.
    int run(std::vector<std::string> words, const std::string& name = "command");
    std::string log_of(const std::string& name) const { return elsewhere / (name + ".log"); }
    bool says(const std::string& name, const std::string& what);

    Cluster cluster;
    Folder elsewhere;
    std::optional<ScriptedHost> host;
    std::thread hosting;
};

}  // namespace berth::testing
