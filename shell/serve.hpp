// SPDX-License-Identifier: Apache-2.0
// What every process of the control plane does before and around its own work: flags, diagnostics,
// configuration, the ready file, signals, the loop, the connection to the broker. A main() is then a name, a
// sentence, and the parts that it builds on this ground.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/config.hpp"
#include "base/ready_file.hpp"
#include "base/result.hpp"
#include "bus/zmq_endpoint.hpp"
#include "shell/inside.hpp"

namespace CLI {
class App;
}

namespace berth::shell {

struct About {
    std::string name;                     // "reaper": of the program without berth-, of its key, of its ready file
    Role role = Role::client;
    std::string what;                     // one sentence, for --help
    std::string reads;                    // which sections of the configuration, for --help
};
struct Flags {
    std::string config;                   // may be empty: defaults
    std::string state;
    std::string log_level = "info";
};
void add_flags(CLI::App& app, const About& about, Flags& flags);

/// What a process stands on while it serves. SIGTERM and SIGINT stop the loop.
class Ground {
public:
    static Result<std::unique_ptr<Ground>> open(const About& about, const Flags& flags);

    const Flags flags;
    const Config config;
    const RealClock clock;
    bus::ZmqLoop loop{clock};
    const ReadyFile ready;                // says that it serves once serves() was called, until it ends

    /// The connection to the broker, by the keys in the state folder.
    Result<std::unique_ptr<bus::ZmqEndpoint>> connect();
    /// Further numbers for <state>/run/<name>.sock (shell/inside.hpp); the process outlives the loop's last turn.
    void show(Figures figures);

private:
    Ground(const About& about, Flags given, Config read);
    bus::Peer peer_;
    std::unique_ptr<Inside> inside_;       // null when there is no room for its socket, which is said
};

/// Parses, opens the ground, runs; the process's exit status.
int serve(int argc, char** argv, const About& about, const std::function<Result<void>(Ground&)>& run);

}  // namespace berth::shell
