// SPDX-License-Identifier: Apache-2.0
#include "base/ready_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/diagnostics.hpp"
#include "base/service_manager.hpp"

namespace berth {

ReadyFile::ReadyFile(const std::string& state, std::string_view name) : path_(fmt::format("{}/run/{}.ready", state, name)) {
    std::error_code ignored;
    std::filesystem::create_directories(state + "/run", ignored);
    ends();
}

void ReadyFile::serves() const {
    std::ofstream file(path_);
    file << ::getpid() << "\n" << std::flush;
    if (!file) log_warn("ready.unwritten", {{"file", path_}, {"why", std::strerror(errno)}});
    tell_service_manager("READY=1");
}

void ReadyFile::ends() const {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
}

}  // namespace berth
