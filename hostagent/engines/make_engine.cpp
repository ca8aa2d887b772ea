// SPDX-License-Identifier: Apache-2.0
#include "hostagent/engines/make_engine.hpp"

namespace berth {

Result<std::unique_ptr<Engine>> make_engine(const EngineSetup& setup) {
    if (setup.name == "docker") return make_docker_engine(setup.docker, setup.host, setup.slots_dir);
    if (setup.name == "process") {
        return make_process_engine({.command = setup.process_command, .slots_dir = setup.slots_dir});
    }
    return fail(ErrorKind::invalid, "no engine is called '{}'; hostagent.engine is docker or process", setup.name);
}

}  // namespace berth
