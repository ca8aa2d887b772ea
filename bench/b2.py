# SPDX-License-Identifier: Apache-2.0
"""Promise: who stops listening disturbs nobody else, costs bounded memory, and learns exactly what it missed."""
from b1 import Ways
from plumbing.report import Result
from plumbing.turns import Spread, alternate

TITLE = "b2 · a listener that stalls"


def run(bench):
    rate = 2_000 if bench.smoke else 20_000
    result = Result("b2", TITLE, f"{rate:,} events of 400 B a second (Poisson), 4 listeners; in every other turn one of them reads nothing until the end. "
                    "The figures are of another listener, from when an event should have been published.")
    ways = Ways(bench, nats=False)
    work = {"bytes": 400, "subscribers": 4, "per_second": rate,
            "seconds": bench.seconds if bench.smoke else max(bench.seconds, 4)}       # longer than all queues hold
    ours, calm, peer = alternate([ways.side("berth", "berth, one stalled", "open", stalled=1, **work),
                                  ways.side("berth", "berth, none stalled", "open", stalled=0, **work),
                                  ways.side("zmq_proxy, CURVE", "zmq_proxy, CURVE, one stalled", "open", stalled=1, **work)],
                                 bench.turns, told=bench.told).values()
    result.compare("p99 of the others", "µs", "latency.p99_us", ours, calm, better="less", floor=1.5, target=1.1)
    result.compare("p99 of the others", "µs", "latency.p99_us", ours, peer, better="less")
    result.compare("memory of the broker", "MiB", "memory_mib.broker", ours, calm, better="less")
    exact = [figures["stalled"]["exact"] for figures in ours.results]
    missed = [figures["stalled"]["missing"] for figures in ours.results]
    result.single("turns in which the stalled one learned its exact gap", f"of {len(exact)}", Spread([sum(exact)]), floor=len(exact), target=len(exact))
    result.remarks.append(f"it missed {min(missed):,} to {max(missed):,} events of a turn; all others are in queues with a bound")
    result.keep(ours, calm, peer)
    ways.end()
    return result
