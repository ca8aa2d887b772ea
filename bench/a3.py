# SPDX-License-Identifier: Apache-2.0
"""Promise: many callers over HTTP, one request each, are served as a small web service would serve them."""
from berth import Berth
from peers.express import Express
from peers.redis import Redis
from plumbing.report import Result
from plumbing.turns import Load, Side, alternate

TITLE = "a3 · many callers over HTTP"


def run(bench):
    hosts, slots, callers = (40, 20, 8) if bench.smoke else (min(bench.hosts, 1_000), 20, 50)
    result = Result("a3", TITLE, f"{callers} connections, one request outstanding each: claim, then release. {hosts:,} hosts × {slots}. "
                    "Redis: as many sockets, the two scripts.")
    berth, redis, express = Berth(bench, hosts, slots), Redis(slots=hosts * slots), Express(10_000)
    port, token = berth.gateway()
    http, redis_load = Load("bench_http", [bench.bin / "bench_http"]), redis.load(bench.bin)
    fields = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
    post = [{"head": f"POST /v1/claims HTTP/1.1\r\n{fields}Idempotency-Key: p-{{n}}\r\n", "body": '{"user":"pu{n}","project":"p"}',
             "take": '"workspace":"'},
            {"head": f"POST /v1/workspaces/{{x}}/release HTTP/1.1\r\n{fields}", "body": "{}"}]
    get = [{"head": f"GET /g{{n}} HTTP/1.1\r\n{fields}", "take": '"url":"http://', "until": "."},
           {"head": f"POST /release HTTP/1.1\r\n{fields}", "body": '{"workspaceId":"{x}"}'}]

    def turn(port, steps):
        return lambda: http.do("closed", port=port, connections=callers, seconds=bench.seconds, steps=steps)
    load = {**berth.others, "load": http.pid}
    posts, gets, node, peer = alternate([
        Side("berth, POST /v1/claims", turn(port, post), berth.served, load),
        Side("berth, GET /<project>", turn(port, get), berth.served, load),
        Side("Express", turn(express.port, express.steps()), {"node": express.pid}, {"load": http.pid}),
        Side("Redis", lambda: redis_load.do("closed", connections=callers, outstanding=1, seconds=bench.seconds),
             {"redis": redis.pid}, {"load": redis_load.pid}),
    ], bench.turns, told=bench.told).values()
    for ours in (posts, gets):
        result.compare(f"cycles, {ours.name.split(', ')[1]}", "per second", "per_second", ours, node, floor=2, target=6)
        result.compare(f"cycles, {ours.name.split(', ')[1]}", "per second", "per_second", ours, peer, target=1)
    result.keep(posts, gets, node, peer)
    for one in (http, redis_load, express, redis, berth):
        one.end()
    return result
