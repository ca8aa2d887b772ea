// SPDX-License-Identifier: Apache-2.0
// From flags and configuration to the parts of the process, and the one thing that the program does
// instead of serving: ending what this host started.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/ready_file.hpp"
#include "hostagent/process.hpp"
#include "hostagent/settings.hpp"
#include "os/lock.hpp"

namespace berth::hostagent {

struct Flags {
    std::string config;
    std::string state;
    std::string host_id;
    std::string pool = "default";
    std::string bus;
    std::string keys;
    std::string homes;
    std::string launch;
    std::string instance;
    std::string engine;
    std::string public_ip;
    std::string private_ip;
    std::uint32_t proxy_port = 0;
    std::uint32_t slots = 20;
    std::string log_level = "info";
    bool end_environments = false;
    bool try_start = false;
};

/// The host's folder, locked by agent.pid for the life of the agent.
class HostFolder {
public:
    /// `conflict` when another agent serves from it and does not end soon.
    static Result<std::unique_ptr<HostFolder>> take(const std::string& path);
    ~HostFolder();
    HostFolder(const HostFolder&) = delete;
    HostFolder& operator=(const HostFolder&) = delete;

    const std::string& path() const { return path_; }   // absolute
    const ReadyFile& ready() const { return ready_; }
    /// Made at the first call, the same ever after.
    Result<HostIncarnation> incarnation() const;

private:
    HostFolder(std::string path, os::Lock lock) : path_(std::move(path)), lock_(std::move(lock)), ready_(path_, "hostagent") {}
    std::string path_;
    os::Lock lock_;
    ReadyFile ready_;
};

/// That of the flags, else of the settings; slot folders lie below `flags.state`.
Result<std::unique_ptr<Engine>> open_engine(const Flags& flags, const Settings& settings);

Result<Process::Parts> gather_parts(const Flags& flags, const Settings& settings, const HostFolder& folder);

/// Removes every environment and ends the proxy. What is remembered stays: the next life of this
/// host starts again what is still leased.
Result<void> end_environments(const Flags& flags, const Settings& settings);

}  // namespace berth::hostagent
