# SPDX-License-Identifier: Apache-2.0
"""Promise: an editor's WebSocket feels as without a proxy, and one that idles costs next to nothing."""
from peers.nginx import Nginx
from plumbing.processes import memory_mib
from plumbing.report import Result
from plumbing.turns import Load, Side, alternate

TITLE = "c2 · the proxy, WebSockets"


def run(bench):
    connections, idle = (2, 50) if bench.smoke else (8, 5_000)
    result = Result("c2", TITLE, f"{connections} sessions, one message outstanding on each, sent back by the upstream; then {idle:,} sessions that say "
                    "nothing. nginx: one worker, its default buffers, and tuned (64 KB).")
    stage, ws = Load("bench_proxy", [bench.bin / "bench_proxy"]), Load("bench_ws", [bench.bin / "bench_ws"])
    usual, tuned = Nginx(stage.ready["upstream"]), Nginx(stage.ready["upstream"], tuned=True)
    load = {"load": ws.pid, "upstream": stage.pid}
    doors = {"berth": (stage.ready["port"], stage.ready["fields"], stage.ready["pids"]),
             "nginx": (usual.port, usual.fields(), {"nginx": usual.pid}), "nginx tuned": (tuned.port, tuned.fields(), {"nginx": tuned.pid})}

    def turn(door, size):
        port, fields, _ = doors[door]
        return lambda: ws.do("echo", port=port, fields=fields, connections=connections, bytes=size, seconds=bench.seconds / 2)
    bounds = {128: ({"target": 0.97}, {}), 1024: ({"target": 0.97}, {}), 16384: ({"floor": 3, "target": 6}, {"target": 1.25}), 65536: ({}, {})}
    for size, (to_usual, to_tuned) in bounds.items():
        name = f"{size} B" if size < 1024 else f"{size // 1024} KB"
        ours, peer, better = alternate([Side(f"{door}, {name}", turn(door, size), pids, load, trees=["nginx"]) for door, (_, _, pids) in doors.items()],
                                       bench.turns, told=bench.told).values()
        result.compare(f"echoes, {name}", "per second", "per_second", ours, peer, **to_usual)
        result.compare(f"echoes, {name}", "per second", "per_second", ours, better, **to_tuned)
        result.compare(f"CPU of an echo, {name}", "µs", "cpu_us_all", ours, peer, better="less")
        result.keep(ours, peer, better)

    def per_session(door):
        port, fields, pids = doors[door]
        def measure():
            before = sum(memory_mib(pid, with_children=True) for pid in pids.values())
            opened = ws.do("open", port=port, fields=fields, count=idle)
            kib = (sum(memory_mib(pid, with_children=True) for pid in pids.values()) - before) * 1024 / idle
            ws.do("close")
            return {**opened, "kib": kib}
        return measure
    ours, peer = alternate([Side(f"{door}, idle sessions", per_session(door), doors[door][2], load, trees=["nginx"]) for door in ("berth", "nginx")],
                           1, warm=False, told=bench.told).values()
    result.compare("memory of an idle session", "KiB", "kib", ours, peer, better="less")
    result.single("memory of an idle session", "KiB", ours.results[0]["kib"], better="less", target=8)
    result.keep(ours, peer)
    for one in (ws, usual, tuned, stage):
        one.end()
    return result
