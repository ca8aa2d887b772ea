// SPDX-License-Identifier: Apache-2.0
// The causal chain of a workspace, host, pool or claim, drawn for a person: when, what, why, on what
// evidence, by whom, and which earlier fact or message it followed from. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/table.hpp"

namespace berth::cli {

BERTH_ENUM(Detail, brief, full)

struct ChainLook {
    bool colour = false;
    Detail detail = Detail::full;         // brief: one line per fact
};

/// `facts` as the gateway gives them: position, at, type, data, reason{why, actor, policy, evidence},
/// cause. In order of position.
std::string draw_chain(const std::string& subject, const std::vector<Json>& facts, const ChainLook& look);

/// What a fact says, in a few words: "demo of ada on h-1 slot 0, epoch 3, until 18:00:00Z".
std::string gist_of(std::string_view type, const Json& data);

}  // namespace berth::cli
