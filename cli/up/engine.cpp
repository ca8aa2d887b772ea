// SPDX-License-Identifier: Apache-2.0
#include "cli/up/engine.hpp"

#include <sys/stat.h>
#include <unistd.h>


namespace berth::cli {

namespace {

std::string problem_of(const Error& error, Duration within) {
    switch (error.kind) {
        case ErrorKind::timeout: return fmt::format("no answer within {}", to_text(within));
        case ErrorKind::unavailable: return "nobody listens";
        default: return error.text;
    }
}

}  // namespace

EngineAnswer ask_engine(const docker::Client& engine, Duration within) {
    const auto& socket = engine.socket();
    struct stat facts = {};
    if (::stat(socket.c_str(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) return {socket, "", ""};
    if (::access(socket.c_str(), R_OK | W_OK) != 0) return {socket, "", "this user may not use it"};
    const auto version = engine.ping(within);
    if (!version) return {socket, "", problem_of(version.error(), within)};
    return {socket, docker::to_text(*version), ""};
}

}  // namespace berth::cli
