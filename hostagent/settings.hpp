// SPDX-License-Identifier: Apache-2.0
// All that the configuration says to a host: [hostagent], which core and shell share, and [docker].
#pragma once

#include "base/config.hpp"
#include "hostagent/engines/docker.hpp"
#include "hostagent/policy.hpp"

namespace berth::hostagent {

struct Settings {
    Policy core;
    ShellPolicy shell;
    DockerPolicy docker;
};

Result<Settings> read_settings(const Config& config);

}  // namespace berth::hostagent
