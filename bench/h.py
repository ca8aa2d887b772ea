# SPDX-License-Identifier: Apache-2.0
"""Promise: the decision itself costs next to nothing, and grows with the fleet at most as a logarithm does."""
from plumbing.report import Result
from plumbing.turns import Load, Side, alternate, spread

TITLE = "h · the core alone"


def run(bench):
    count = 2_000 if bench.smoke else 20_000
    hosts = 200 if bench.smoke else bench.hosts
    result = Result("h", TITLE, f"The allocator's step() without bus, disk or clock: {count:,} cycles, 256 at a time, {hosts:,} hosts × 20; "
                    "and the view: the facts of those cycles folded into an empty one. One thread.")
    core = Load("bench_core", [bench.bin / "bench_core"])
    pid = {"core": core.pid}

    def cycles(hosts, leases=0):
        return lambda: core.do("cycles", hosts=hosts, slots=20, leases=leases, count=count)
    sizes = [20, 100] if bench.smoke else [100, 1_000]
    ours, folded, beats, *grown = alternate(
        [Side("step()", cycles(hosts), pid), Side("view fold", lambda: core.do("fold", hosts=hosts, slots=20, count=count // 2), pid),
         Side("heartbeats", lambda: core.do("beats", hosts=hosts, slots=20, count=count), pid)]
        + [Side(f"step(), {size:,} hosts", cycles(size), pid) for size in sizes]
        + [Side(f"step(), {hosts:,} hosts, {hosts * 16:,} leases", cycles(hosts, hosts * 16), pid)], bench.turns, told=bench.told).values()
    result.single("claims decided", "per second", spread(ours, "claims_per_second"), floor=500_000, target=2_000_000)
    result.single("cycles with release", "per second", spread(ours, "per_second"))
    result.single("facts folded", "per second", spread(folded, "per_second"))
    result.single("heartbeats answered with orders", "per second", spread(beats, "per_second"))
    for side in grown:
        result.compare(f"claims decided, {hosts:,} hosts and none leased / {side.name[8:]}", "per second", "claims_per_second", ours, side)
    result.remarks.append(f"one cycle is {spread(ours, 'steps_per_cycle').median:.1f} steps and {spread(ours, 'facts_per_cycle').median:.1f} facts")
    result.keep(ours, folded, beats, *grown)
    core.end()
    return result
