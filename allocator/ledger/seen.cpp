// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger/seen.hpp"

#include <sstream>

#include "os/files.hpp"

namespace berth::allocator {

std::optional<Seen> read_seen(const std::string& file) {
    const auto text = os::read_file(file);
    if (!text) return std::nullopt;
    Seen seen;
    std::istringstream lines(*text);
    if (!std::getline(lines, seen.store) || !std::getline(lines, seen.ledger) || !(lines >> seen.position.value)) return std::nullopt;
    return seen;
}

Result<void> write_seen(const std::string& file, const Seen& seen) {
    return os::write_file(file, fmt::format("{}\n{}\n{}\n", seen.store, seen.ledger, seen.position.value));
}

Result<void> check_seen(const Seen& before, const Seen& now, const std::string& file) {
    if (before.store != now.store || now.position >= before.position) return {};
    if (now.position.value == 0) {
        return fail(ErrorKind::corrupt, "{} is empty, but held {} facts of ledger {} when this machine last saw it: was it flushed? Put an export "
                    "back with `berth-allocator import FILE` (docs/restore.md), or remove {} to begin anew", now.store, before.position.value,
                    before.ledger, file);
    }
    if (before.ledger != now.ledger) return {};           // it was recovered, or another one was put there on purpose
    return fail(ErrorKind::corrupt, "{} ends at {}, but this machine has seen position {} of ledger {} there: it is an old copy. Put a newer one "
                "back, or go on from it with `berth-allocator recover` (docs/restore.md)", now.store, now.position.value, before.position.value,
                before.ledger);
}

}  // namespace berth::allocator
