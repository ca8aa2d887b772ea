# SPDX-License-Identifier: Apache-2.0
"""07: the buffer refills after claims, and nothing is shrunk blindly: a host with a lease is never ended. req 11, I13."""
from stage import Stage, expect, wait_for
from story_settings import FAST

with Stage("--hosts-max", "3", "--slots", "2", "--buffer", "2", *FAST, "--set", "pool.default.idle_after_ms=10m",
           "--set", "scaler.cooldown=1s", "--set", "scaler.shrink_after=4s") as stage:
    def live():
        return [host for host in stage.hosts() if host["liveness"] == "live"]

    def free():
        return sum(slot["use"] == "free" for host in live() for slot in host["slots"])
    wait_for("the buffer is full", lambda: free() >= 2, 60)
    first = stage.claim("ada")
    wait_for("a second host fills the buffer again", lambda: free() >= 2 and len(live()) >= 2, 60)
    second, third = stage.claim("bob"), stage.claim("eve")
    wait_for("a third host comes", lambda: len(live()) == 3, 60)
    stage.cli("release", second["workspace"])
    stage.cli("release", third["workspace"])
    wait_for("the surplus is given back", lambda: len(live()) < 3, 120)
    expect(stage.workspace(first["workspace"])["state"] == "active", "ada still works")
    expect(any(host["host"] == first["host"] for host in live()), "on the host that she was given")
    wait_for("the buffer stays full", lambda: free() >= 2, 30)
    stage.down()
    facts = stage.ledger()
    drained = {fact["data"]["host"]["host"] for fact in facts if fact["type"] == "host.drained"}
    gone = {fact["data"]["host"]["host"] for fact in facts if fact["type"] == "host.gone"}
    expect(gone and gone <= drained, f"each host that ended was drained first: {sorted(gone)} (I13)")
