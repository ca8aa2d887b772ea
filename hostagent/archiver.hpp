// SPDX-License-Identifier: Apache-2.0
// What keeps the archives of homes. Calls block, are made from worker threads, may be made concurrently for
// different workspaces and are serialised for one, and return within their deadline. Implementations: restic; in
// tests sim.
//
// Kinds of errors: not_found (no such repository or snapshot), denied (another password, no key), conflict (locked
// by somebody), no_capacity (full), unavailable (not reached), internal (damaged, and the rest).
#pragma once

#include <cstdint>
#include <functional>

#include "hostagent/step.hpp"

namespace berth::hostagent {

/// Bytes done, and of how many (0: not known yet); called from the call's own thread.
using OnBytes = std::function<void(std::uint64_t bytes, std::uint64_t bytes_total)>;

class Archiver {
public:
    virtual ~Archiver() = default;

    virtual Result<void> check(const HomeRule& rule) = 0;
    /// What is returned was read back from the repository.
    virtual Result<KeptHome> save(const SaveOrder& order, const OnBytes& moved) = 0;
    virtual Result<void> restore(const RestoreOrder& order, const OnBytes& moved) = 0;
    /// All archives of that workspace; their blocks go when somebody prunes the repository.
    virtual Result<void> forget(const WorkspaceId& workspace, const HomeRule& rule) = 0;
};

}  // namespace berth::hostagent
