# SPDX-License-Identifier: Apache-2.0
"""03: idle: one workspace.idle event on a tap, consumed by host and allocator; container gone, slot free,
home kept; a start finds the file again. Design 2, req 15-17. Real containers."""
import os
import subprocess

from stage import Browser, Stage, expect, wait_for
from story_settings import FAST

with Stage("--hosts-max", "1", "--slots", "2", "--set", "pool.default.standbys=0", *FAST, engine="docker") as stage:
    tap = stage.tap()
    wait_for("the tap hears something", lambda: tap.lines, 30)
    granted = stage.claim("ada")
    identity = granted["workspace"]
    Browser(granted["link"]).get("/")
    with open(os.path.join(stage.home(identity), "kept.txt"), "w") as file:
        file.write("kept")
    docker = ["docker", "ps", "-aq", "--filter", "label=berth.cluster"]

    def containers():
        return subprocess.run(docker, capture_output=True, text=True, env=stage.env).stdout.split()
    running = len(containers())
    expect(running >= 1, f"{running} container runs")
    stage.wait_state(identity, "stopped", 90)
    ours = [event for event in tap.json() if event.get("subject") == identity or event.get("data", {}).get("workspace") == identity]
    intents = [event for event in ours if "workspace.idle" in event["type"] and "idle_noted" not in event["type"]]
    facts = stage.facts(identity)
    objections = sum(fact["type"] == "workspace.stop_objected" for fact in facts)
    expect(len(intents) == 1 + objections, f"{len(intents)} workspace.idle heard: exactly 1, and 1 after each of {objections} objections")
    types = {fact["type"] for fact in facts}
    expect("workspace.idle_noted" in types or any("idle" in kind for kind in types), f"the allocator consumed it: {sorted(types)}")
    wait_for("its container is gone", lambda: len(containers()) == running - 1, 30)
    wait_for("its slot is free", lambda: all(slot["use"] == "free" for host in stage.hosts() for slot in host["slots"]), 30)
    expect(open(os.path.join(stage.home(identity), "kept.txt")).read() == "kept", "the home is kept")

    stage.cli("start", identity)
    stage.wait_state(identity, "active", 90)
    container = [fact["data"]["container"] for fact in stage.facts(identity) if fact["type"] == "workspace.started"][-1]
    inside = subprocess.run(["docker", "exec", container, "cat", "/berth/home/kept.txt"], capture_output=True, text=True, env=stage.env)
    expect(inside.stdout == "kept", f"started again, the file is there inside the new container ({inside.stderr.strip()})")
    fresh = Browser(stage.call("POST", f"/v1/workspaces/{identity}/link", {}).json()["link"])
    expect(fresh.get("/healthz").status == 200, "and a fresh link opens it")
    expect(stage.workspace(identity)["epoch"] != granted["epoch"], "with a new epoch (I3)")
