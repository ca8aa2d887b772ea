// SPDX-License-Identifier: Apache-2.0
// What the projector knows: the view, the hosts' loads, and of each place what stands there.
//
//   place:  (begin · a write failed) ─► unknown ─(listed)─► known ◄─► writing
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "projector/picture.hpp"
#include "projector/policy.hpp"

namespace berth::projector {

/// Where a picture hangs.
BERTH_ENUM(PlaceKind, redis, dynamodb)

/// The write that is under way.
struct Leaving {
    Picture after;                        // shown once it is done
    Position position;                    // that is whole then; 0: a part is left
    std::optional<Instant> since;         // its oldest change
    std::uint64_t changes = 0;
};

struct PlaceState {
    PlaceKind kind = PlaceKind::redis;
    std::optional<Picture> shown;         // none: what stands there is not known; entries of a listing have no fields
    std::optional<Leaving> leaving;
    bool busy = false;
    std::string last_key;                 // that was written; the next write goes on after it
    Position position;                    // up to which it is whole
    std::optional<Instant> changed_at;    // of the oldest change that no write holds
    Instant not_before;                   // of the next call, after a failure
    Duration pause{0};
    Instant renew_at;                     // lifetimes
    Instant look_at;
    double room = 0;                      // changes that may be written now, where they are counted …
    Instant room_at;                      // … as of then
    bool told_behind = false;
    std::uint64_t changes = 0;            // written in this life
    std::uint64_t failures = 0;
};

struct State {
    Policy policy;
    std::optional<View> view;             // none until it was given
    Position head;                        // of the ledger
    Loads loads;
    std::vector<PlaceState> places;
};

/// How old the oldest change is that is not shown yet; 0: there is none.
Duration lag_of(const PlaceState& place, Instant now);

}  // namespace berth::projector
