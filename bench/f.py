# SPDX-License-Identifier: Apache-2.0
"""Promise: leases that end are ended on time, each durably and told to all, also when very many end at once."""
import time

from berth import Berth
from peers.redis import Redis
from plumbing.report import Result
from plumbing.turns import Side, alternate

TITLE = "f · leases that expire"


def run(bench):
    leases, ttl, rate = (40, 4, 20) if bench.smoke else (min(20_000, bench.hosts * 10), 45, 200)
    hosts = max(4, leases // 10)
    result = Result("f", TITLE, f"{leases:,} leases of {ttl} s, half of them extended once; all expire within a minute while {rate} claims a second go on. "
                    "Ended means: the fact workspace.stopping, durable, heard on the bus. Redis: as many keys that expire, volatile and told to nobody. "
                    "(The issue asks for a million leases: at today's rate of claims those alone would take minutes to make.)")
    berth, redis = Berth(bench, hosts, config=f"ttl_ms = \"{ttl}s\"\nttl_max_ms = \"1h\"\n"), Redis(durable=False, slots=0)
    berth.start("reaper")

    def ours():
        berth.load.do("fill", count=leases, ttl_ms=ttl * 1000)
        berth.load.do("extend", share=0.5, ttl_ms=ttl * 1000)
        begun = time.monotonic()
        heard = berth.load.do("hear", name="workspace.stopping", count=leases, seconds=ttl * 3, per_second=rate)
        return {**heard, "seconds": time.monotonic() - begun, "latency": heard["late"]}

    def theirs():
        redis.cli("EVAL", "for i = 1, tonumber(ARGV[1]) do redis.call('SET', 'l:' .. i, 'x', 'PX', 1000 + i % 1000) end", "0", leases)
        begun = time.monotonic()
        while int(redis.cli("DBSIZE")) and time.monotonic() - begun < 60:
            time.sleep(0.1)
        return {"count": leases, "seconds": time.monotonic() - begun}
    mine, peer = alternate([Side("berth", ours, berth.served, berth.others), Side("Redis, volatile keys", theirs, {"redis": redis.pid})],
                           1, warm=False, told=bench.told).values()
    result.compare("CPU of an expiry, all processes", "µs", "cpu_us_all", mine, peer, better="less")
    result.single("CPU of an expiry, all processes", "µs", mine.results[0]["cpu_us_all"], better="less", floor=4, target=2)
    late = mine.results[0]["latency"]
    result.single("the last is late by", "s", late.get("max_us", 0) / 1e6, better="less", target=0.3)
    result.single("half are late by", "s", late.get("p50_us", 0) / 1e6, better="less")
    result.remarks.append("the CPU is of filling, extending and expiring together with the claims beside: an upper bound of an expiry's own")
    result.keep(mine, peer)
    for one in (redis, berth):
        one.end()
    return result
