// SPDX-License-Identifier: Apache-2.0
// What may go wrong in the simulated world: one struct of named probabilities. Swarm style: each
// seed switches some of them off, weighs the rest, and prints what it chose.
#pragma once

#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"

namespace berth::sim {

struct Faults {
    // of each letter
    double drop = 0;
    double duplicate = 0;
    double replay_late = 0;       // it comes again, seconds to minutes later
    Duration delay_max{20};       // reordering follows from unequal delays
    // of each point between two effects
    double crash_allocator = 0;
    double crash_host = 0;
    double crash_watcher = 0;     // reaper or scaler: it forgets all it knew
    double torn_append = 0;       // of each append: the process dies, and any prefix of the batch stays
    double disk_slow = 0;         // of each append: it takes up to seconds, and nothing leaves before
    // of each round of a process
    double busy = 0;              // it begins later, and finds more to do
    // of each engine operation
    double engine_fails = 0;
    double engine_slow = 0;       // beyond its deadline, or nearly
    // of each home that is saved or brought back
    double archive_fails = 0;
    double archive_slow = 0;
    // of each call of the provider
    double launch_fails = 0;
    double answer_lost = 0;       // it was done, and yet the answer is an error
    double listing_partial = 0;
    double listing_stale = 0;
    double boot_slow = 0;
    // per virtual second
    double pause = 0;             // an actor freezes, then acts on what is old
    double partition = 0;         // one actor is cut off, one way or both, for a while
    double host_dies = 0;         // a machine vanishes
    double host_reboots = 0;      // all containers exit, the disk stays
    double disk_full = 0;         // the ledger's disk is full for a while
    double take_over = 0;         // a second allocator begins while the first still lives
    double container_dies = 0;
    double restore_copy = 0;      // an old copy of the ledger is put back and recovered
    double clock_step = 0;        // the wall clock of a process that starts anew is wrong by up to an hour
    double clock_jump = 0;        // that of one which runs jumps so far
    double crash_broker = 0;      // kill -9 of the broker: every connection ends, it forgets all it knew
    double version_newer = 0;     // of each life of a process: it says more than the others know
    double version_older = 0;     // … or leaves out what may be absent
    double forge = 0;             // a user or a host says what its role may not
    BERTH_FIELDS(Faults, drop, duplicate, replay_late, delay_max, crash_allocator, crash_host, crash_watcher, torn_append, disk_slow, busy,
                 engine_fails, engine_slow, archive_fails, archive_slow, launch_fails, answer_lost, listing_partial, listing_stale, boot_slow, pause, partition,
                 host_dies, host_reboots, disk_full, take_over, container_dies, restore_copy, clock_step, clock_jump, crash_broker, version_newer, version_older, forge)
};

/// Chosen from the seed's own stream.
Faults choose_faults(Rng rng);
/// "name=value " of every field that is not zero.
std::string describe(const Faults& faults);
/// Names of those that can strike here.
std::vector<std::string> kinds_of(const Faults& faults);
/// False when there is none of that name.
bool switch_off(Faults& faults, std::string_view name);
/// Raises one, by its name, to what a world is seldom given; none for an empty name.
void make_likely(Faults& faults, std::string_view name);

}  // namespace berth::sim
