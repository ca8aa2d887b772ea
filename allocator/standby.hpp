// SPDX-License-Identifier: Apache-2.0
// Before an allocator takes a shared ledger over: does another one serve? Who serves renews a beat in the store; who
// waits follows the facts, and takes over when the beat stops. The beat only proposes (I10): two who take over at once
// meet at the fence, and one of them ends.
//
//   watching ──(beat ended · its process is gone · silent)──► *its turn
//       └──(it lives, and this one is no standby)──► *refused
#pragma once

#include <optional>
#include <string>

#include "allocator/ledger/stored.hpp"
#include "allocator/shell_policy.hpp"
#include "bus/loop.hpp"

namespace berth::allocator {

/// What stands in the store.
struct LeaderBeat {
    std::string writer;                   // its life
    std::uint64_t count = 0;              // grows
    std::string where;                    // machine and process namespace
    std::int64_t pid = 0;
    BERTH_FIELDS(LeaderBeat, writer, count, where, pid)
};
std::string to_text(const LeaderBeat& beat);
std::optional<LeaderBeat> read_beat(const std::string& text);
/// Of this process, without a count.
LeaderBeat own_beat(const std::string& writer);
/// False only when it ran here and is gone.
bool may_live(const LeaderBeat& beat);

BERTH_ENUM(LeaderState,
           none,      // nobody serves
           unclear,   // there is a beat; whether it is renewed is not known yet
           lives,     // it was renewed while we watched
           silent)    // it was not, for too long

/// Judges by what it is shown and when, with no clock of its own.
class LeaderWatch {
public:
    explicit LeaderWatch(Duration silence) : silence_(silence) {}
    LeaderState look(const std::optional<LeaderBeat>& beat, bool may_live, Instant now);

private:
    Duration silence_;
    std::optional<LeaderBeat> last_;
    Instant changed_;
    bool renewed_ = false;
};

BERTH_ENUM(Patience, none, standby)

/// Runs the loop until it is our turn, and gives the view up to then; none: the loop was ended from outside. conflict:
/// another one serves, and we are no standby.
Result<std::optional<View>> wait_for_turn(bus::Loop& loop, const std::function<void()>& run, StoredLedger& ledger, const ShellPolicy& policy, Patience patience);

}  // namespace berth::allocator
