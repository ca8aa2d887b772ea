// SPDX-License-Identifier: Apache-2.0
// One visitor of a variant out of several lambdas.
#pragma once

namespace berth::sim {

template <class... Cases>
struct Overloaded : Cases... {
    using Cases::operator()...;
};

}  // namespace berth::sim
