# SPDX-License-Identifier: Apache-2.0
"""06: kill -9 of each process in turn, during traffic. Sessions live on; no acknowledged lease is lost and
no slot leased twice, by the ledger and by what truly runs; what the clients saw has an order in which every
answer is true (the checker of the simulation). I1, I2, I5, I8, I25, I29, req 30."""
import json
import os

from stage import Browser, Stage, expect, wait_for
from story_settings import FAST
from traffic import Traffic, judged


def traffic_of(stage, user, name):
    def post(path, body, key):
        return stage.call("POST", path, body, headers={"Idempotency-Key": key} if key else None, timeout=40)
    return Traffic(post, user, name, user=user)


with Stage("--hosts-max", "1", "--slots", "8", *FAST, "--set", "pool.default.idle_after_ms=10m") as stage:
    kept = [stage.claim(f"kept{i}") for i in range(3)]
    sessions = [Browser(one["link"]) for one in kept]
    sockets = [session.socket() for session in sessions]
    sockets[0].ask("write before.txt 1")
    traffic = [traffic_of(stage, f"t{i}", f"t{i}") for i in range(2)]
    rivals = [traffic_of(stage, "r", name) for name in ("left", "right")]       # of one user, who take and end each other's
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
    good, said = judged(traffic + rivals, stage.state)
    expect(good, f"what the clients saw has an order: {said}")
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
