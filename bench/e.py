# SPDX-License-Identifier: Apache-2.0
"""Promise: ten thousand hosts are watched for the price of writing a key each, and who falls silent is known in time."""
from berth import Berth
from peers.redis import Redis
from plumbing.processes import memory_mib
from plumbing.report import Result
from plumbing.turns import Side, Spread, alternate

TITLE = "e · hosts"


def run(bench):
    hosts = 100 if bench.smoke else bench.hosts
    period = 2 if bench.smoke else 15
    result = Result("e", TITLE, f"{hosts:,} hosts × 20 slots, each with its key and connection, a heartbeat every {period} s (its orders are asked for, "
                    "and everyone else is told) and the beat of a worker every 5 s, as hostagent has it. Then 1 % fall silent. Redis: as many "
                    "connections, SET … EX for each heartbeat.")
    config = f"[allocator]\nheartbeat = \"{period}s\"\n[reaper]\nheartbeat = \"{period}s\"\n"
    berth, redis = Berth(bench, hosts, config=config, agents=0, fleet=False), Redis(durable=False, slots=0)
    berth.start("reaper")
    before = sum(memory_mib(pid) for pid in berth.served.values())
    berth.add_fleet(hosts, 20, period * 1000)
    load = redis.load(bench.bin)
    seconds = max(bench.seconds, 0.5)

    def beats():
        first = berth.fleet.do("count")
        berth.load.do("hear", name="host.unknown", count=1, seconds=seconds)          # none is lost meanwhile
        last = berth.fleet.do("count")
        return {"count": last["answered"] - first["answered"], "seconds": seconds, "latency": last["latency"],
                "failed": last["failed"] - first["failed"], "error": last["last_error"]}
    berth.load.do("hear", name="host.unknown", count=1, seconds=2 if bench.smoke else period)          # the connecting is over
    ours, peer = alternate([Side("berth", beats, berth.served, berth.others),
                            Side("Redis, SET … EX", lambda: load.do("beats", connections=hosts, per_second=hosts / period, seconds=seconds),
                                 {"redis": redis.pid}, {"load": load.pid})], bench.turns, told=bench.told).values()
    after = sum(memory_mib(pid) for pid in berth.served.values())
    result.compare("CPU of a heartbeat, all processes", "µs", "cpu_us_all", ours, peer, better="less", floor=1, target=0.55)
    result.single("memory of a host, all processes", "KiB", (after - before) * 1024 / hosts, better="less", floor=40, target=32)
    silent = max(1, hosts // 100)
    berth.fleet.do("silence", hosts=silent)
    known = berth.load.do("hear", name="host.unknown", count=silent, seconds=period * 4)
    more = berth.load.do("hear", name="host.unknown", count=1, seconds=min(period, 5))
    result.single(f"until {silent} silent hosts are known", "periods", known["seconds"] / period, better="less", floor=2.5, target=2.5)
    result.single("silent hosts that were found", f"of {silent}", known["count"], floor=silent, target=silent)
    result.single("hosts that were lost by mistake", "hosts", Spread([more["count"]]), better="less", floor=0, target=0)
    result.remarks.append("known: 2.2 periods of silence are the rule; the reaper looks every 0.5 s, and the fact is heard by a client on the bus")
    result.keep(ours, peer)
    for one in (load, redis, berth):
        one.end()
    return result
