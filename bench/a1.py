# SPDX-License-Identifier: Apache-2.0
"""Promise: claims are decided and made durable as fast as the stores do it that people build this on."""
from berth import Berth
from peers.express import Express
from peers.postgres import Postgres
from peers.redis import Redis
from plumbing.report import Result
from plumbing.turns import Load, Side, alternate

TITLE = "a1 · claims, throughput"


def run(bench):
    hosts, slots = (200, 20) if bench.smoke else (bench.hosts, 20)
    outstanding = 16 if bench.smoke else 256
    result = Result("a1", TITLE, f"Claim → granted on a standby, with its link → release; all durable before their replies, with an "
                    f"idempotency key each. {outstanding} outstanding on one connection; {hosts:,} hosts × {slots} slots on the real wire, over CURVE.")
    berth, redis, postgres, express = Berth(bench, hosts, slots), Redis(slots=hosts * slots), Postgres(hosts * slots), Express(hosts)
    redis_load, http = redis.load(bench.bin), Load("bench_http", [bench.bin / "bench_http"])
    sides = [
        Side("berth", lambda: berth.load.do("closed", outstanding=outstanding, seconds=bench.seconds), berth.served, berth.others),
        Side("Redis, appendfsync always", lambda: redis_load.do("closed", connections=1, outstanding=outstanding, seconds=bench.seconds),
             {"redis": redis.pid}, {"load": redis_load.pid}),
        Side("PostgreSQL, 50 clients", lambda: postgres.cycles(4 if bench.smoke else 50, bench.seconds),
             {"postgres": postgres.pid}, trees=["postgres"]),
        Side("Express, 50 connections", lambda: http.do("closed", port=express.port, connections=50, seconds=bench.seconds, steps=express.steps()),
             {"node": express.pid}, {"load": http.pid}),
    ]
    ours, *peers = alternate(sides, bench.turns, told=bench.told).values()
    for peer, floor, target in zip(peers, (0.5, 1, 1), (3, 10, 6)):
        result.compare("cycles", "per second", "per_second", ours, peer, floor=floor, target=target)
    result.compare("CPU of a cycle, all processes", "µs", "cpu_us_all", ours, peers[0], better="less")
    result.keep(ours, *peers)
    for one in (http, redis_load, express, postgres, redis, berth):
        one.end()
    return result
