// SPDX-License-Identifier: Apache-2.0
// A place where a picture hangs: an edge. Calls block, on a thread of the place's own. What an implementation may
// do wrong: fail, also after it wrote a part or all; be slow up to its deadline. Then everything is looked at anew.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "projector/step.hpp"

namespace berth::projector {

class Sink {
public:
    virtual ~Sink() = default;
    /// The keys there that are ours.
    virtual Result<std::vector<std::string>> keys() = 0;
    virtual Result<void> write(const Write& wanted) = 0;
};

}  // namespace berth::projector
