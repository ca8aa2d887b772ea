# SPDX-License-Identifier: Apache-2.0
"""Runs benches: script/bench --help."""
import argparse
import datetime
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import traceback

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from plumbing.picture import picture                                     # noqa: E402
from plumbing.processes import end_all, facts_of_machine, raise_limits   # noqa: E402
from plumbing.report import number                                       # noqa: E402

NAMES = ["a1", "a2", "a3", "h", "b1", "b2", "c1", "c2", "e", "g", "f", "d"]


class Bench:
    """What a bench may use: where the programs are, how long and how often, whether it is only a smoke test."""

    def __init__(self, options):
        self.bin, self.smoke, self.hosts = options.bin, options.smoke, options.hosts
        self.turns = 1 if options.smoke else options.turns
        self.seconds = 0.3 if options.smoke else options.seconds

    def told(self, side, turn, figures):
        rate = number(figures.get("per_second")) if "per_second" in figures else "–"
        p50 = figures.get("latency", {}).get("p50_us")
        print(f"   turn {turn + 1}: {side.name}: {rate}/s" + (f", p50 {p50 / 1e3:.3g} ms" if p50 else "") +
              f"; others used {figures['others']:.2f} cores", flush=True)


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True).stdout.strip()
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("-changed" if git("status", "--porcelain", "--untracked-files=no") else "")


def rounded(value):
    """Six digits are more than any of this is good for."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


def put_into_docs(results, about):
    """The tables and pictures of docs/performance.md, between its two marks; benches that did not run keep theirs."""
    path = HERE.parent / "docs/performance.md"
    text = path.read_text()
    begin, end = text.index("<!-- results"), text.index("<!-- end of results")
    begin = text.index("\n", begin) + 1
    parts = {part.split(" ", 1)[0]: "## " + part for part in text[begin:end].split("## ")[1:]}
    for result in results:
        (HERE.parent / f"docs/pictures/bench_{result.name}.svg").write_text(picture(result))
        machine = about["machine"]
        run = (f"Run of {about['date']}, commit {about['commit']}: {about['turns']} turns of {about['seconds']} s, {machine['cores']} cores, "
               f"{machine['memory_gib']} GiB. {result.warning()}").strip()
        lines = [f"## {result.title}", "", result.work, "", *result.table(), "", *[f"- {remark}" for remark in result.remarks],
                 *([""] if result.remarks else []), run, "", f"![{result.title}](pictures/bench_{result.name}.svg)", "", ""]
        parts[result.name] = "\n".join(lines)
    path.write_text(text[:begin] + "\n" + "".join(parts[name] for name in NAMES if name in parts) + text[end:])


def write(results, options, failures, about):
    machine = about["machine"]
    head = (f"# Benches of {about['date']}, commit {about['commit']}\n\n{machine['cores']} cores ({machine['cpu']}), "
            f"{machine['memory_gib']} GiB, Linux {machine['kernel']}. {options.turns} turns of {options.seconds} s, the sides one after the "
            "other in each; medians, least and most in brackets. *Others' cores*: what ran beside it and is not ours.\n\n")
    text = head + "\n".join(result.markdown() for result in results) + "".join(f"\n- **{name} failed**: {why}\n" for name, why in failures)
    out = pathlib.Path(options.results)
    out.mkdir(parents=True, exist_ok=True)
    base = out / f"{about['date']}-{about['commit']}{options.suffix}"
    base.with_name(base.name + ".md").write_text(text)
    base.with_name(base.name + ".json").write_text(json.dumps(rounded({**about, "benches": [result.json() for result in results]})) + "\n")
    if options.docs:
        put_into_docs(results, about)
    print(f"   written: {base}.md and .json" + ("; docs/performance.md and its pictures" if options.docs else ""), flush=True)


def main():
    parser = argparse.ArgumentParser(prog="script/bench", description="A bench for each promise, beside its peer, in turns in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; default: all")
    parser.add_argument("--smoke", action="store_true", help="seconds, nothing judged, nothing written")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of one side's turn")
    parser.add_argument("--hosts", type=int, default=10_000, help="simulated hosts")
    parser.add_argument("--bin", type=lambda text: pathlib.Path(text).resolve(), default=HERE.parent / "build/release/bin")
    parser.add_argument("--results", default=HERE / "results", help="folder that gets <date>-<commit>.md, .json")
    parser.add_argument("--suffix", default="", help="of those names")
    parser.add_argument("--docs", action="store_true", help="its tables and pictures go into docs/performance.md")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no bench is named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)     # also when it was started in the background
    raise_limits()
    bench, results, failures = Bench(options), [], []
    about = {"date": datetime.date.today().isoformat(), "commit": commit(), "machine": facts_of_machine(), "turns": options.turns,
             "seconds": options.seconds}                 # of the beginning: somebody may commit meanwhile
    for name in options.names or NAMES:
        module = importlib.import_module(name)
        print(f"== {module.TITLE}", flush=True)
        begun = time.monotonic()
        try:
            result = module.run(bench)
        except Exception as error:                     # whatever it is, the other benches go on and this one is named
            traceback.print_exc()
            failures.append((name, f"{type(error).__name__}: {error}".splitlines()[0]))
            continue
        finally:
            end_all()
        results.append(result)
        print(result.markdown())
        print(f"   ({time.monotonic() - begun:.0f} s)", flush=True)
        if not options.smoke:
            write(results, options, failures, about)           # after each: an hour's figures are not lost with the last
    if options.smoke and any(remark for result in results for remark in result.remarks if "failed:" in remark):
        failures.append(("smoke", "operations failed"))
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
