# SPDX-License-Identifier: Apache-2.0
"""What a run found, as rows with a figure of ours and one of a peer: markdown, JSON, and a judgement."""
from plumbing.turns import Spread, spread

NOISY = 0.25       # cores that others used, on average of a turn


def number(value):
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def with_range(one):
    return f"{number(one.median)} ({number(one.least)}–{number(one.most)})" if one.median is not None else "–"


class Row:
    """`better` is more or less; floor and target are ratios ours / theirs (or figures, without a peer)."""

    def __init__(self, what, unit, ours, theirs=None, peer="", better="more", floor=None, target=None):
        self.what, self.unit, self.ours, self.theirs, self.peer = what, unit, ours, theirs, peer
        self.better, self.floor, self.target = better, floor, target

    @property
    def ratio(self):
        if self.theirs is None:
            return self.ours.median
        if not self.theirs.median or self.ours.median is None:
            return None
        return self.ours.median / self.theirs.median

    def meets(self, bound):
        if bound is None or self.ratio is None:
            return None
        return self.ratio >= bound if self.better == "more" else self.ratio <= bound

    def verdict(self):
        if self.floor is None and self.target is None:
            return ""
        if self.meets(self.target):
            return "target met"
        met = self.meets(self.floor)
        return "" if met is None else "floor met" if met else "**below the floor**"

    def json(self):
        return {"what": self.what, "unit": self.unit, "peer": self.peer, "better": self.better, "ours": self.ours.json(),
                "theirs": self.theirs.json() if self.theirs else None, "ratio": self.ratio, "floor": self.floor,
                "target": self.target, "verdict": self.verdict().strip("*")}


class Result:
    """Of one bench: rows, the cost of every process, remarks."""

    def __init__(self, name, title, work):
        self.name, self.title, self.work = name, title, work
        self.rows, self.sides, self.remarks = [], [], []

    def row(self, *words, **more):
        self.rows.append(Row(*words, **more))

    def compare(self, what, unit, path, ours, theirs, **more):
        self.row(what, unit, spread(ours, path), spread(theirs, path), peer=theirs.name, **more)

    def single(self, what, unit, value, **more):
        self.row(what, unit, value if isinstance(value, Spread) else Spread([value]), **more)

    def keep(self, *sides):
        for side in sides:
            self.sides.append(side)
            notes = {figures["note"] for figures in side.results if "note" in figures}
            self.remarks += [f"{side.name}: {note}" for note in sorted(notes)]

    def warning(self):
        noise = self.noise().median
        if noise is None or noise <= NOISY:
            return ""
        return f"**Noisy**: others used {number(noise)} cores while this ran; read the ratios, not the figures."

    def noise(self):
        return Spread([figures["others"] for side in self.sides for figures in side.results])

    def table(self):
        lines = ["| | berth | peer | | ratio | floor | target | |", "|---|---|---|---|---|---|---|---|"]
        for row in self.rows:
            ratio = "–" if row.theirs is None else number(row.ratio)
            sign = "≥" if row.better == "more" else "≤"
            bound = [f"{sign} {number(value)}" if value is not None else "" for value in (row.floor, row.target)]
            lines.append(f"| {row.what}, {row.unit} | {with_range(row.ours)} | {with_range(row.theirs) if row.theirs else '–'} | {row.peer} | "
                         f"{ratio} | {bound[0]} | {bound[1]} | {row.verdict()} |")
        return lines

    def markdown(self):
        lines = [f"## {self.title}", "", self.work, "", *self.table()]
        if self.sides:
            lines += ["", "| side | operations/s | p50 ms | p99 ms | CPU µs per operation, by process | memory MiB | others' cores |",
                      "|---|---|---|---|---|---|---|"]
        for side in self.sides:
            names = list(side.pids())
            cpu = ", ".join(f"{name} {number(spread(side, f'cpu_us.{name}').median)}" for name in names)
            memory = ", ".join(f"{name} {number(spread(side, f'memory_mib.{name}').median)}" for name in names)
            ms = [with_range(Spread([value / 1e3 for value in spread(side, f"latency.{at}_us").values])) for at in ("p50", "p99")]
            lines.append(f"| {side.name} | {with_range(spread(side, 'per_second'))} | {ms[0]} | {ms[1]} | {cpu} | {memory} | "
                         f"{with_range(spread(side, 'others'))} |")
        lines += ["", self.warning()] if self.warning() else []
        lines += [""] + [f"- {remark}" for remark in self.remarks]
        return "\n".join(lines).rstrip() + "\n"

    def json(self):
        return {"name": self.name, "title": self.title, "work": self.work, "rows": [row.json() for row in self.rows],
                "remarks": self.remarks, "others_cores": self.noise().json(),
                "sides": [{"name": side.name, "turns": side.results} for side in self.sides]}
