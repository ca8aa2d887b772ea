// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/history_file.hpp"

#include <fstream>

#include "events/wire.hpp"

namespace berth::sim {

Result<History> read_history(const std::string& path) {
    std::ifstream file(path);
    if (!file) return fail(ErrorKind::not_found, "can not read {}", path);
    History history;
    for (std::string line; std::getline(file, line);) {
        if (line.empty()) continue;
        auto call = wire::from_bytes<Call>(TRY(from_json(line)), {});
        if (!call) return fail(call.error().kind, "{}, line {}: {}", path, history.size() + 1, call.error().text);
        history.push_back(std::move(*call));
    }
    return history;
}

Result<void> write_history(const std::string& path, const History& history) {
    std::ofstream file(path);
    for (const auto& call : history) file << TRY(to_json(wire::to_bytes(call))) << "\n";
    if (!file.flush()) return fail(ErrorKind::unavailable, "can not write {}", path);
    return {};
}

}  // namespace berth::sim
