// SPDX-License-Identifier: Apache-2.0
// The end of a host, as one reads it from the view: what it waits for. The steps themselves are the
// allocator's (allocator/endings.cpp).
#pragma once

#include <string>

#include "events/view.hpp"

namespace berth {

/// A sentence for a person: what a host that is ending waits for, and what could be done about it.
/// Empty when it is not ending, or over.
std::string waits_for(const View& view, const HostView& host);

}  // namespace berth
