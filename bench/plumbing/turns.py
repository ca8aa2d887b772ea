# SPDX-License-Identifier: Apache-2.0
"""Sides of a bench take turns in one run; what each turn cost, and how much others disturbed it."""
import json
import os
import statistics
import subprocess

from plumbing.processes import Machine, Process, cpu_seconds, memory_mib


class Load(Process):
    """A program of bench/*.cpp (plumbing/turns.hpp): a line in, a line of figures out."""

    def __init__(self, name, argv, **more):
        super().__init__(name, argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, **more)
        self.ready = self.hear()

    def hear(self):
        line = self.process.stdout.readline()
        while line and not line.startswith("{"):         # a line of a log
            line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}; its last words:\n{self.said()}")
        heard = json.loads(line)
        if "error" in heard and "count" not in heard:
            raise RuntimeError(f"{self.name}: {heard['error']}")
        return heard

    def do(self, verb, **more):
        self.process.stdin.write(json.dumps({"do": verb, **more}) + "\n")
        self.process.stdin.flush()
        return self.hear()

    def end(self, within=20):
        if self.process.poll() is None:
            self.process.stdin.close()              # it ends with its input, and so do those whom it started
            try:
                self.process.wait(within)
            except subprocess.TimeoutExpired:
                pass
        super().end(within)


class Side:
    """`turn()` does the work once and gives figures: at least count and seconds. `pids` are measured: name → pid,
    those in `served` count as the cost of an operation, the others are load. `trees` have children."""

    def __init__(self, name, turn, served=None, load=None, trees=()):
        self.name, self.turn, self.served, self.load, self.trees = name, turn, served or {}, load or {}, set(trees)
        self.results = []

    def pids(self):
        return {**self.served, **self.load}

    def take(self):
        before = {name: cpu_seconds(pid, name in self.trees) for name, pid in self.pids().items()}
        own = sum(os.times()[:4])
        machine = Machine()
        figures = self.turn()
        cpu = {name: cpu_seconds(pid, name in self.trees) - before[name] for name, pid in self.pids().items()}
        figures["others"] = machine.others(sum(cpu.values()) + sum(os.times()[:4]) - own)
        if figures.get("count"):
            figures.setdefault("per_second", figures["count"] / figures["seconds"])
            figures["cpu_us"] = {name: used / figures["count"] * 1e6 for name, used in cpu.items()}
            figures["cpu_us_all"] = sum(used for name, used in cpu.items() if name in self.served) / figures["count"] * 1e6
        figures["memory_mib"] = {name: memory_mib(pid, name in self.trees) for name, pid in self.pids().items()}
        if figures.get("failed"):
            figures["note"] = f"{figures['failed']} failed: {figures.get('error', '')[:200]}"
        self.results.append(figures)
        return figures


def at(figures, path):
    for word in path.split("."):
        if not isinstance(figures, dict) or word not in figures:
            return None
        figures = figures[word]
    return figures


class Spread:
    """Median, least and most of one figure over the turns."""

    def __init__(self, values):
        values = [value for value in values if value is not None]
        self.values = values
        self.median = statistics.median(values) if values else None
        self.least, self.most = (min(values), max(values)) if values else (None, None)

    def json(self):
        return {"median": self.median, "least": self.least, "most": self.most, "turns": len(self.values)}


def spread(side, path):
    return Spread([at(figures, path) for figures in side.results])


def alternate(sides, turns, warm=True, told=None):
    """Each side once, then again in another order, so that a drift of the machine meets all alike."""
    sides = list(sides)
    for turn in range(-1 if warm else 0, turns):
        for side in sides[turn % len(sides):] + sides[:turn % len(sides)]:
            figures = side.take()
            if turn < 0:
                side.results.clear()
            elif told:
                told(side, turn, figures)
    return {side.name: side for side in sides}
