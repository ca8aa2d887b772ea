# SPDX-License-Identifier: Apache-2.0
"""berth as a bench starts it: broker and allocator by bench_claims, more hosts by bench_fleet, a gateway."""
import pathlib
import subprocess

from plumbing.processes import Process, free_port
from plumbing.turns import Load

AGENTS = 20        # hosts with the endpoint that ships; all others are bench_fleet's


class Berth:
    """`hosts` × `slots`. Claims land on the fullest host first, so those of AGENTS carry them."""

    def __init__(self, bench, hosts, slots=20, config="", preload=None, heartbeat_ms=15_000, agents=AGENTS, fleet=True):
        self.bench = bench
        agents = min(agents, hosts)
        more = ["--preload", preload] if preload else []
        self.load = Load("bench_claims", [bench.bin / "bench_claims", "--turns", "--agents", agents, "--slots", slots, "--config", config, *more])
        self.state = pathlib.Path(self.load.ready["state"])
        self.served = dict(self.load.ready["pids"])
        self.others = {"load and agents": self.load.pid}
        self.ends = [self.load]
        self.fleet, self.agents = None, agents
        if fleet:
            self.add_fleet(hosts - agents, slots, heartbeat_ms)

    def add_fleet(self, hosts, slots, heartbeat_ms=15_000):
        if hosts > 0:
            self.fleet = Load("bench_fleet", [self.bench.bin / "bench_fleet", self.state, self.agents + 1, hosts, slots, heartbeat_ms])
            self.others["other hosts"] = self.fleet.pid
            self.ends.insert(0, self.fleet)

    def gateway(self):
        """Its port; and steps of a cycle for bench_http."""
        config = self.state / "gateway.toml"
        config.write_text("[gateway]\nport = 0\nconnections_max = 512\n")
        process = Process("gateway", [self.bench.bin / "berth-gateway", "--state", self.state, "--config", config, "--log-level", "warn"])
        self.ends.insert(0, process)
        url = self.state / "gateway.url"
        process.until(lambda: url.exists() and (self.state / "token").exists() and (self.state / "run/gateway.ready").exists())
        self.served["gateway"] = process.pid
        return int(url.read_text().strip().rsplit(":", 1)[1].strip("/")), (self.state / "token").read_text().strip()

    def start(self, name):
        """Another of its processes, which says by a file that it is ready."""
        ready = self.state / f"run/{name}.ready"
        process = Process(name, [self.bench.bin / f"berth-{name}", "--state", self.state, "--config", self.state / "berth.toml", "--log-level", "warn"])
        self.ends.insert(0, process)
        process.until(ready.exists)
        self.served[name] = process.pid

    def end(self):
        for one in self.ends:
            one.end()
