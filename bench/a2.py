# SPDX-License-Identifier: Apache-2.0
"""Promise: a claim alone takes little more than its hops and syncs, and many that come at random wait little."""
from berth import Berth
from peers.redis import Redis
from plumbing.processes import folder
from plumbing.report import Result
from plumbing.turns import Load, Side, alternate

TITLE = "a2 · claims, latency"
# client → broker → allocator, sync; bind: → broker → host → broker → allocator, sync; link likewise; → broker → client
WAY = "BA.BHBA.BHBAB"


def run(bench):
    hosts, slots = (40, 20) if bench.smoke else (min(bench.hosts, 1_000), 20)
    rates = [200] if bench.smoke else [1_000, 5_000, 20_000]
    result = Result("a2", TITLE, f"One at a time, and a Poisson open loop; a time counts from when the claim should have begun, to its reply. "
                    f"{hosts:,} hosts × {slots}. Raw hops: the {sum(letter != '.' for letter in WAY) + 1} one-way hops of a claim through three other "
                    "threads with libzmq and CURVE, and its two fdatasync, nothing else. A release follows each grant, and is part of the load.")
    slow = bench.bin / "libbench_slow_sync.so"
    for name, preload in (("", None), (", each sync 1 ms slower", slow)):
        berth, redis = Berth(bench, hosts, slots, preload=preload), Redis(slots=hosts * slots, preload=preload)
        redis_load = redis.load(bench.bin)
        hops = Load("bench_hops", [bench.bin / "bench_hops", folder()], env={"LD_PRELOAD": str(preload)} if preload else None)
        ours, raw, peer = alternate([
            Side("berth, one at a time" + name, lambda: berth.load.do("closed", outstanding=1, seconds=bench.seconds), berth.served, berth.others),
            Side("raw hops" + name, lambda: hops.do("closed", way=WAY, seconds=bench.seconds), load={"hops": hops.pid}),
            Side("Redis, one at a time" + name, lambda: redis_load.do("closed", connections=1, outstanding=1, seconds=bench.seconds),
                 {"redis": redis.pid}, {"load": redis_load.pid}),
        ], bench.turns, told=bench.told).values()
        result.compare("one at a time, p50" + name, "µs", "latency.p50_us", ours, raw, better="less", floor=3, target=1.2)
        result.compare("one at a time, p50" + name, "µs", "latency.p50_us", ours, peer, better="less")
        result.keep(ours, raw, peer)
        for rate in rates:
            if rate > 1_000 and not carries(result, rate, name):
                continue
            ours, peer = alternate([
                Side(f"berth at {rate:,}/s" + name, lambda: berth.load.do("open", per_second=rate, seconds=bench.seconds), berth.served, berth.others),
                Side(f"Redis at {rate:,}/s" + name, lambda: redis_load.do("open", per_second=rate, seconds=bench.seconds),
                     {"redis": redis.pid}, {"load": redis_load.pid}),
            ], bench.turns, told=bench.told).values()
            bounds = {"floor": 3, "target": 1} if rate == 5_000 else {}
            result.compare(f"p99 at {rate:,}/s" + name, "µs", "latency.p99_us", ours, peer, better="less", **bounds)
            result.keep(ours, peer)
            result.last_p99_us = max(figures["latency"]["p99_us"] for figures in ours.results)
        for one in (hops, redis_load, redis, berth):
            one.end()
    return result


def carries(result, rate, name):
    """A rate is tried only when the one before was carried: beyond it a queue grows, and its time says nothing."""
    if getattr(result, "last_p99_us", 0) < 500_000:
        return True
    result.remarks.append(f"{rate:,}/s{name} was not tried: at the rate before, p99 was {result.last_p99_us / 1e3:.0f} ms, so a queue grew")
    return False
