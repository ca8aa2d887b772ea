// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_allocator.hpp"

namespace berth::sim {

namespace {

constexpr std::uint64_t snapshot_facts = 60;               // often enough that a world has some

}  // namespace

SimAllocator::SimAllocator(World& world, SimDisk& disk, const std::string& process, allocator::Policy policy, std::vector<PoolDefined> pools)
    : SimProcess(world, {.process = process, .address = "allocator", .role = "allocator", .crash = &Faults::crash_allocator}),
      disk_(disk), policy_(std::move(policy)), pools_(std::move(pools)), nothing_(allocator::make_state(policy_, {})) {}

Result<void> SimAllocator::open(SimLoop& loop, SimBus& bus) {
    if (on_begin) on_begin();
    ledger_ = std::make_unique<SimLedger>(disk_, loop, [this] { return dies(); }, [this] { crash(); });
    process_ = TRY(allocator::Process::open(loop, bus, *ledger_, policy_, {.snapshot_facts = snapshot_facts}, pools_));
    return {};
}

void SimAllocator::close() {
    process_.reset();
    ledger_.reset();
}

}  // namespace berth::sim
