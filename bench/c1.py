# SPDX-License-Identifier: Apache-2.0
"""Promise: the door that checks each request costs less than the usual one that asks a service about it."""
from peers.nginx import Nginx
from plumbing.report import Result
from plumbing.turns import Load, Side, alternate

TITLE = "c1 · the proxy, HTTP"


def run(bench):
    connections = 8 if bench.smoke else 64
    result = Result("c1", TITLE, f"{connections} connections that are kept, one request outstanding on each; the session is checked each time. nginx: one "
                    "worker before the same upstream, plain, and with auth_request to it.")
    stage, http = Load("bench_proxy", [bench.bin / "bench_proxy"]), Load("bench_http", [bench.bin / "bench_http"])
    upstream = stage.ready["upstream"]
    plain, auth = Nginx(upstream), Nginx(upstream, auth=True)
    load = {"load": http.pid, "upstream": stage.pid}

    def turn(port, size, fields):
        return lambda: http.do("closed", port=port, connections=connections, seconds=bench.seconds,
                               steps=[{"head": f"GET /{size}k HTTP/1.1\r\n{fields}"}])
    for size in (1, 16):
        ours, asking, bare = alternate([
            Side(f"berth, {size} KB", turn(stage.ready["port"], size, stage.ready["fields"]), stage.ready["pids"], load),
            Side(f"nginx with auth_request, {size} KB", turn(auth.port, size, auth.fields()), {"nginx": auth.pid}, load, trees=["nginx"]),
            Side(f"nginx plain, {size} KB", turn(plain.port, size, plain.fields()), {"nginx": plain.pid}, load, trees=["nginx"]),
        ], bench.turns, told=bench.told).values()
        result.compare(f"CPU of a request, {size} KB", "µs", "cpu_us_all", ours, asking, better="less", floor=0.75, target=0.6)
        result.compare(f"CPU of a request, {size} KB", "µs", "cpu_us_all", ours, bare, better="less", target=1)
        result.compare(f"requests, {size} KB", "per second", "per_second", ours, asking)
        result.compare(f"p99, {size} KB", "µs", "latency.p99_us", ours, asking, better="less")
        result.keep(ours, asking, bare)
    for one in (http, plain, auth, stage):
        one.end()
    return result
