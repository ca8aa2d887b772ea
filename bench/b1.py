# SPDX-License-Identifier: Apache-2.0
"""Promise: events reach everyone who listens nearly as fast as libzmq itself carries them, though each is checked."""
from plumbing.processes import Process, free_port
from plumbing.report import Result
from plumbing.turns import Load, Side, alternate

TITLE = "b1 · events to many listeners"


class Ways:
    """berth's broker, zmq_proxy without and with CURVE, NATS; a load on each."""

    def __init__(self, bench, nats=True):
        program, proxy = bench.bin / "bench_events", bench.bin / "bench_zmq_proxy"
        self.berth = Load("bench_events", [program, "berth"])
        self.ends = [self.berth]
        self.sides = {"berth": (self.berth, self.berth.ready["pids"])}
        for name, how in (("zmq_proxy, CURVE", "curve"), ("zmq_proxy, plain", "plain")):
            carrier = Load("zmq_proxy", [proxy, how])
            load = Load("bench_events", [program, "zmq", carrier.ready["in"], carrier.ready["out"], carrier.ready["key"]])
            self.sides[name] = (load, {"zmq_proxy": carrier.pid})
            self.ends += [load, carrier]
        if nats:
            port = free_port()
            server = Process("nats", ["nats-server", "-a", "127.0.0.1", "-p", port]).until_listening(port)
            load = Load("bench_events", [program, "nats", port])
            self.sides["nats-server"] = (load, {"nats-server": server.pid})
            self.ends += [load, server]

    def side(self, name, label, verb, **more):
        load, served = self.sides[name]
        return Side(label, lambda: load.do(verb, **more), served, {"publisher and listeners": load.pid})

    def end(self):
        for one in self.ends:
            one.end()


def run(bench):
    result = Result("b1", TITLE, "One publisher, N listeners that subscribe to a prefix, as fast as all take it; at most 4,096 on their way. "
                    "berth authorises each event by its sender's key and stamps it; zmq_proxy looks at nothing.")
    ways = Ways(bench)
    for size in (186, 400):
        for listeners in [2] if bench.smoke else [1, 4, 16]:
            label = f"{listeners} listener{'s' if listeners > 1 else ''}, {size} B"
            ours, curve, plain, nats = alternate(
                [ways.side(name, f"{name}, {label}", "closed", bytes=size, subscribers=listeners, seconds=bench.seconds / 2) for name in ways.sides],
                bench.turns, told=bench.told).values()
            result.compare(f"events, {label}", "per second", "per_second", ours, curve, floor=0.5, target=0.9)
            result.compare(f"events, {label}", "per second", "per_second", ours, nats, target=1)
            result.compare(f"CPU of the broker, {label}", "µs each", "cpu_us_all", ours, curve, better="less")
            result.keep(ours, curve, plain, nats)
    ways.end()
    return result
