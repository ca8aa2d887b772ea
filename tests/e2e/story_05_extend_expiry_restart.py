# SPDX-License-Identifier: Apache-2.0
"""05: a lease is extended, runs out, and the workspace starts again with its files. req 10-12."""
import os

from stage import SLOWER, Browser, Stage, expect
from story_settings import FAST

with Stage("--hosts-max", "1", "--slots", "4", *FAST, "--set", "pool.default.idle_after_ms=10m") as stage:
    short = stage.claim("ada", ttl_ms=int(6000 * SLOWER))
    Browser(short["link"]).socket().ask("write work.txt unsaved-is-lost-saved-is-kept")
    longer = stage.claim("bob", ttl_ms=int(6000 * SLOWER))
    stage.cli("extend", longer["workspace"], "--ttl", "2h")
    stage.wait_state(short["workspace"], "stopped", 60)
    why = stage.cli("why", short["workspace"]).stdout
    expect("expired" in why.lower(), "`berth why` says that its lease ran out")
    expect(stage.workspace(longer["workspace"])["state"] == "active", "the extended one runs")
    again = stage.claim("ada")
    expect(again["workspace"] == short["workspace"], "claimed again: the same workspace")
    expect(int(again["epoch"]) > 0 and again["link"] != short["link"], "with a new link")
    read = Browser(again["link"]).socket().ask("read work.txt")
    expect("saved-is-kept" in read, f"and its files: {read}")
    expect(os.path.exists(os.path.join(stage.home(again["workspace"]), "work.txt")), "in its home")
    denied = stage.call("POST", f"/v1/workspaces/{again['workspace']}/extend", {"expires_at": "2001-01-01T00:00:00Z"})
    expect(400 <= denied.status < 500, f"an end in the past is refused with {denied.status}")
