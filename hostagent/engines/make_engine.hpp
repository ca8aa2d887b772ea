// SPDX-License-Identifier: Apache-2.0
// Which engine a host uses, by its name in the configuration.
#pragma once

#include <memory>
#include <string>

#include "hostagent/engines/docker.hpp"
#include "hostagent/engines/process.hpp"

namespace berth {

struct EngineSetup {
    std::string name;                     // "docker" or "process"
    std::string host;                     // goes into the labels of containers
    std::string slots_dir;                // absolute; slot folders are made below it
    std::string process_command;
    DockerPolicy docker;
};

Result<std::unique_ptr<Engine>> make_engine(const EngineSetup& setup);

}  // namespace berth
