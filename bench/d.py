# SPDX-License-Identifier: Apache-2.0
"""Promise: an editor on a standby is there at once, and one that has to be started costs what its container costs."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

from plumbing.processes import run as command
from plumbing.report import Result
from plumbing.turns import Side, alternate

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))

TITLE = "d · start of an environment"
LANDING = "/?folder=/berth/home"


@contextlib.contextmanager
def engine():
    """A private dockerd with the workspace image, or the one that the stories of script/test share."""
    where = os.environ.get("BERTH_ENGINE_DIR") or "/tmp/berth-bench-docker"
    mine = "BERTH_ENGINE_DIR" not in os.environ
    os.environ["BERTH_ENGINE_DIR"] = where
    if mine:
        done = subprocess.run(["bash", ROOT / "tests/e2e/engine.sh", "start", where], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stdout[-500:] + done.stderr[-500:])
    elif not os.path.exists(f"{where}/docker.sock"):
        print(f"SKIPPED: no container engine at {where}")
        sys.exit(77)
    try:
        yield f"unix://{where}/docker.sock"
    finally:
        if mine:
            subprocess.run(["bash", ROOT / "tests/e2e/engine.sh", "stop", where], capture_output=True)
            shutil.rmtree(where, ignore_errors=True)


def until_200(get, within=60):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if get() == 200:
                return
        time.sleep(0.005)
    raise RuntimeError(f"no answer 200 within {within} s")


def run(bench):
    os.environ.setdefault("BERTH_BIN", str(bench.bin))
    from stage import Browser, Stage, http_call, wait_for
    result = Result("d", TITLE, "A claim over HTTP until the editor answers 200 through the proxy with its session: on a standby, and cold. "
                    "The peer: docker run -d -p of the same image until it answers 200.")
    with engine() as socket, Stage("--hosts-max", "1", "--slots", "3", "--set", "pool.default.standbys=1", engine="docker") as warm, \
            Stage("--hosts-max", "1", "--slots", "3", "--set", "pool.default.standbys=0", engine="docker") as cold:
        image = command(ROOT / "script/image").split()[0]
        docker = ["docker", "-H", socket]
        number = iter(range(1_000_000))

        def prepared(stage, count):
            return any(sum(phase == "prepared" for phase in host.get("phases", [])) >= count for host in stage.hosts())

        def claimed(stage, standbys):
            def turn():
                wait_for("the standbys are there", lambda: prepared(stage, standbys), 120)
                begun = time.monotonic()
                granted = stage.claim(f"user{next(number)}")
                browser = Browser(granted["link"])
                until_200(lambda: browser.get(LANDING).status)
                took = time.monotonic() - begun
                stage.call("POST", f"/v1/workspaces/{granted['workspace']}/destroy", {})
                wait_for("its slot is free", lambda: all("bound" not in host.get("phases", []) and "stopping" not in host.get("phases", [])
                                                         for host in stage.hosts()), 60)
                return {"count": 1, "seconds": took}
            return turn

        def plain():
            begun = time.monotonic()
            name = command(*docker, "run", "-d", "-p", "127.0.0.1::8080", "-e", "HOME=/berth/home",
                           "--tmpfs", "/berth/home:uid=1000", image).strip()
            port = command(*docker, "port", name, "8080").strip().rsplit(":", 1)[1]
            until_200(lambda: http_call(f"http://127.0.0.1:{port}{LANDING}").status)
            took = time.monotonic() - begun
            command(*docker, "rm", "-f", name)
            return {"count": 1, "seconds": took}
        standby, fresh, peer = alternate([Side("berth, on a standby", claimed(warm, 1)), Side("berth, cold", claimed(cold, 0)),
                                          Side("docker run", plain)], bench.turns, warm=not bench.smoke, told=bench.told).values()
    result.compare("on a standby: time to 200", "s", "seconds", standby, peer, better="less", floor=1 / 20, target=1 / 60)
    result.compare("cold: time to 200", "s", "seconds", fresh, peer, better="less", floor=1.15, target=1.05)
    result.keep(standby, fresh, peer)
    return result
