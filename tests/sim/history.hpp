// SPDX-License-Identifier: Apache-2.0
// What clients saw: one row per call, in the order of their ends. The same rows come from real
// processes as JSON lines (linear.hpp), so that one checker judges both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::sim {

BERTH_ENUM(CallKind, claim, release, extend, hold, destroy, outcome, link)
BERTH_ENUM(CallEnd, ok, refused, unknown)

struct Call {
    std::string client;
    CallKind kind = CallKind::claim;
    CallEnd end = CallEnd::unknown;
    std::string key;                      // of a claim
    std::string project;                  // of a claim, or of a call that names user and project
    std::string workspace;                // that the call names, or the reply
    std::string host;
    std::uint64_t epoch = 0;
    std::uint64_t position = 0;           // that the reply names
    std::uint32_t count = 0;              // how many things it touched
    std::string error;                    // kind of a refusal
    Instant began_at;
    Instant ended_at;
    Instant until;                        // of an extension
    BERTH_FIELDS(Call, client, kind, end, key, project, workspace, host, epoch, position, count, error, began_at, ended_at, until)
};

using History = std::vector<Call>;

}  // namespace berth::sim
