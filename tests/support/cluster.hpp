// SPDX-License-Identifier: Apache-2.0
// The real broker, and whatever else a test starts beside it, on one temporary state folder; and
// peers of the test's own that speak on its bus.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bus/zmq_endpoint.hpp"
#include "tests/support/child.hpp"
#include "tests/support/folder.hpp"

namespace berth::testing {

class Cluster {
public:
    /// `config` is the TOML that every process is given. Mints the keys of the control plane.
    explicit Cluster(const std::string& config = "");

    const std::string& state() const { return folder_.path(); }
    std::string config() const { return folder_ / "berth.toml"; }
    /// Starts "broker" (berth-broker, with --config and --state) and waits until it says it is ready.
    Child& start(const std::string& name, const std::vector<std::string>& more = {});
    Child& process(const std::string& name) { return *children_.at(name); }
    void mint(const std::string& name, Role role);
    bus::Connection connection(const std::string& name, Role role) const;
    std::string log_of(const std::string& name) const { return read_text(folder_ / ("log/" + name + ".log")); }

private:
    Folder folder_;
    std::map<std::string, std::unique_ptr<Child>> children_;
};

/// A peer inside the test, on a loop that runs while the test waits.
class TestPeer {
public:
    /// `ahead`: of its clock, before everybody else's.
    TestPeer(Cluster& cluster, const std::string& name, Role role, Duration ahead = Duration{0});

    bus::ZmqLoop& loop() { return loop_; }
    bus::ZmqEndpoint& endpoint() { return *endpoint_; }
    /// Runs the loop until it is so.
    bool until(const std::function<bool()>& is_so, Duration within = Duration{10'000});

    template <class T>
    Result<ReplyTo<T>> ask(const T& value, Duration timeout = Duration{10'000}, const bus::Note& note = {}) {
        const auto reply = std::make_shared<std::optional<Result<ReplyTo<T>>>>();      // it may come after the test gave up
        endpoint_->request<T>(value, timeout, [reply](Result<ReplyTo<T>> got) { *reply = std::move(got); }, note);
        until([&] { return reply->has_value(); }, timeout + Duration{2'000});
        if (!*reply) return fail(ErrorKind::internal, "the handler of a request did not run");
        return std::move(**reply);
    }

private:
    class ShiftedClock final : public Clock {
    public:
        explicit ShiftedClock(Duration ahead) : ahead_(ahead) {}
        Instant now() const override { return real_.now() + ahead_; }

    private:
        RealClock real_;
        Duration ahead_;
    };
    ShiftedClock clock_;
    bus::ZmqLoop loop_{clock_};
    std::unique_ptr<bus::ZmqEndpoint> endpoint_;
};

}  // namespace berth::testing
