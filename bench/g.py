# SPDX-License-Identifier: Apache-2.0
"""Promise: after kill -9 the allocator decides rightly again sooner than a store of the same size has loaded."""
import time

from peers.redis import CLAIM, Redis
from plumbing.report import Result
from plumbing.turns import Load, Side, alternate, spread

TITLE = "g · restart"


def run(bench):
    leases, tail = (1_000, 2_000) if bench.smoke else (bench.hosts * 20, bench.hosts * 20)
    result = Result("g", TITLE, f"{leases:,} leases in the snapshot and a tail of {tail:,} facts; kill -9, start, until the first right claim is granted. "
                    f"Redis with {leases:,} claims made by its script: from its start to the first claim, from an RDB file, and from an AOF.")
    load = Load("bench_restart", [bench.bin / "bench_restart", leases, tail])
    made = load.ready["made"]
    fill = CLAIM.replace("ARGV[1]", "('k' .. i)").replace("ARGV[2]", "('u' .. i)").replace("ARGV[3]", "'p'").replace("return", "local _ =")
    fill = fill.replace("if prior then local _ = prior end", "").replace("if not slot then local _ = false end", "").replace("local _ = slot", "")
    stores = {}
    for name, aof in (("Redis, RDB", False), ("Redis, AOF", True)):
        stores[name] = redis = Redis(durable=aof, slots=leases + 10)
        redis.cli("EVAL", f"for i = 1, tonumber(ARGV[1]) do {fill} end", "0", leases)
        if not aof:
            redis.cli("SAVE")

    def restart(redis):
        def turn():
            redis.process.kill()
            begun = time.monotonic()
            redis.start()
            redis.cli("EVAL", CLAIM, "0", f"again{begun}", "u", "p")
            return {"count": 1, "seconds": time.monotonic() - begun}
        return turn
    ours, rdb, aof = alternate([Side("berth", lambda: load.do("restart"))] + [Side(name, restart(redis)) for name, redis in stores.items()],
                               bench.turns, warm=False, told=bench.told).values()
    result.compare("restart", "s", "seconds", ours, rdb, better="less", floor=0.6, target=0.3)
    result.compare("restart", "s", "seconds", ours, aof, better="less")
    result.single("restart, for each 100,000 of leases and facts of the tail", "s",
                  spread(ours, "seconds").median / (made["leases"] + made["tail"]) * 1e5, better="less")
    result.remarks.append(f"the ledger was made by the core: {made['facts']:,} facts before its snapshot, {made['tail']:,} after")
    result.keep(ours, rdb, aof)
    for one in (load, *stores.values()):
        one.end()
    return result
