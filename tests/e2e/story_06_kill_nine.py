# SPDX-License-Identifier: Apache-2.0
"""06: kill -9 of each process in turn, during traffic. Sessions live on; no acknowledged lease is lost and
no slot leased twice, by the ledger and by what truly runs; what the clients saw has an order in which every
answer is true (the checker of the simulation). I1, I2, I5, I8, I25, I29, req 30."""
import datetime
import http.client
import json
import os
import subprocess
import threading

from stage import Browser, Stage, expect, wait_for
from story_settings import FAST


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"


class Traffic(threading.Thread):
    """Claims and releases without end; remembers what was acknowledged, and every call (tests/sim/history.hpp)."""

    def __init__(self, stage, user, name):
        super().__init__(daemon=True)
        self.stage, self.user, self.prefix, self.ending = stage, user, name, threading.Event()
        self.held, self.acknowledged, self.failures, self.calls = None, 0, 0, []

    def call(self, kind, path, body, key=""):
        """The answer's body when it is good, else nothing; either way a row of the history."""
        row = {"client": self.user, "kind": kind, "key": key, "project": "traffic", "began_at": now(), "end": "unknown",
               "workspace": body.pop("workspace", ""), "host": "", "epoch": 0, "position": 0, "count": 0, "error": "",
               "until": "1970-01-01T00:00:00.000Z"}
        try:
            answer = self.stage.call("POST", path, body, headers={"Idempotency-Key": key} if key else None, timeout=40)
            said = answer.json()
            if answer.status < 300 and (kind != "claim" or said.get("state") == "granted"):
                row.update(end="ok", workspace=said["workspace"], epoch=int(said["epoch"]) if kind == "claim" else 0)
                return said
            if answer.status < 500 and answer.status != 408:
                row.update(end="refused", error=str(said.get("kind", answer.status)))
        except (OSError, ValueError, http.client.HTTPException):
            self.failures += 1
        finally:
            row["ended_at"] = now()
            self.calls.append(row)
        return None

    def run(self):
        turn = 0
        while not self.ending.is_set():
            turn += 1
            if self.held is None:
                self.held = self.call("claim", "/v1/claims", {"user": self.user, "project": "traffic", "wait_ms": 20000},
                                      key=f"{self.prefix}-{turn}")
                self.acknowledged += self.held is not None
            elif self.call("release", f"/v1/workspaces/{self.held['workspace']}/release",
                           {"why": "traffic", "workspace": self.held["workspace"]}):
                self.held = None
            self.ending.wait(0.05)


with Stage("--hosts-max", "1", "--slots", "8", *FAST, "--set", "pool.default.idle_after_ms=10m") as stage:
    kept = [stage.claim(f"kept{i}") for i in range(3)]
    sessions = [Browser(one["link"]) for one in kept]
    sockets = [session.socket() for session in sessions]
    sockets[0].ask("write before.txt 1")
    traffic = [Traffic(stage, f"t{i}", f"t{i}") for i in range(2)]
    rivals = [Traffic(stage, "r", name) for name in ("left", "right")]       # of one user, who take and end each other's
    for one in traffic + rivals:
        one.start()

    for name in ("broker", "allocator", "reaper", "scaler", "gateway", "agent"):
        before = sum(one.acknowledged for one in traffic)
        old = stage.kill(name)
        expect(all(one.ask(f"echo {name}") for one in sockets), f"kill -9 {name}: the open WebSockets live on")
        expect(all(one.get("/").status == 200 for one in sessions), f"kill -9 {name}: and so do their pages")
        wait_for(f"{name} is back", lambda: stage.pid_of(name) != old, 60)
        wait_for(f"claims go on after {name}", lambda: sum(one.acknowledged for one in traffic) > before + 1, 90)

    old = stage.kill("proxy")
    wait_for("the proxy is back", lambda: stage.pid_of("proxy") != old, 60)
    wait_for("the same cookies open the same workspaces", lambda: all(one.get("/").status == 200 for one in sessions), 60)
    expect("1" in sessions[0].socket().ask("read before.txt"), "with the same files")

    for one in traffic + rivals:
        one.ending.set()
    for one in traffic + rivals:
        one.join(60)
    seen = os.path.join(stage.state, "seen.jsonl")
    with open(seen, "w") as file:
        for row in sorted((row for one in traffic + rivals for row in one.calls), key=lambda row: row["ended_at"]):
            file.write(json.dumps(row) + "\n")
    judged = subprocess.run([os.path.join(os.environ["BERTH_BIN"], "check_history"), seen], capture_output=True, text=True)
    expect(judged.returncode == 0, f"what the clients saw has an order: {judged.stdout.strip()} {judged.stderr.strip()}")
    for one in kept:
        expect(stage.workspace(one["workspace"])["epoch"] == one["epoch"], f"{one['workspace']} has the lease that was acknowledged")
    for one in traffic:
        if one.held:
            expect(stage.workspace(one.held["workspace"])["state"] == "active", f"{one.user}'s acknowledged lease stands")

    # What truly runs: each bound environment belongs to one workspace, each workspace to at most one.
    bound = {}
    for host in sorted(os.listdir(os.path.join(stage.state, "hosts"))):
        slots = os.path.join(stage.state, "hosts", host, "slots")
        for slot in os.listdir(slots) if os.path.isdir(slots) else []:
            path = os.path.join(slots, slot, "bind.json")
            if os.path.exists(path):
                workspace = json.load(open(path))["workspace"]
                expect(workspace not in bound, f"{workspace} runs once (slot {slot})")
                bound[workspace] = slot
    print(f"-- {sum(one.acknowledged for one in traffic)} claims acknowledged in between, {sum(one.failures for one in traffic)} calls failed")
    stage.down()
    leased, epochs, granted = {}, {}, 0
    for fact in stage.ledger():
        data = fact["data"]
        if fact["type"] == "lease.granted":
            slot = (data["host"], data["slot"])
            expect_once = slot not in leased
            assert expect_once, f"slot {slot} was leased twice: {leased[slot]} and {data['workspace']} (I1)"
            assert int(data["epoch"]) > epochs.get(slot, 0), f"epoch of {slot} did not grow (I3)"
            leased[slot], epochs[slot] = data["workspace"], int(data["epoch"])
            granted += 1
        elif fact["type"] in ("workspace.stopped", "workspace.failed"):
            leased = {slot: workspace for slot, workspace in leased.items() if workspace != data["workspace"]}
    expect(granted > 10, f"{granted} leases in the ledger, never two on one slot (I1), epochs only grew (I3)")
