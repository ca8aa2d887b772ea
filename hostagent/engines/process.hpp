// SPDX-License-Identifier: Apache-2.0
// Environments as plain processes, for machines without containers, for tests and benches: one
// session per environment, which lives on when the agent dies. Separates nobody from anybody: for
// one user per machine only. The slot's folder `<slots>/<n>/` holds:
//
//   label      "<container> <port>"      before anything is started
//   pid        "<pid> <start time>"      of the session's leader, before it runs
//   bind.json  who it was given to       once
//   home       link to the user's home   from the bind on
//   output     what it prints
#pragma once

#include <memory>
#include <string>

#include "base/reflect.hpp"
#include "hostagent/engine.hpp"

namespace berth {

struct ProcessEngineSetup {
    std::string command;                  // "{port}" and "{folder}" are replaced; empty: berth-workspace
    std::string health_path = "/healthz";
    std::string slots_dir;                // absolute
    Duration grace{500};                  // between being asked to end and being ended
};

std::unique_ptr<Engine> make_process_engine(ProcessEngineSetup setup);

}  // namespace berth
