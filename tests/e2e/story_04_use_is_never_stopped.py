# SPDX-License-Identifier: Apache-2.0
"""04: terminal output that goes on, or an open hold, is never stopped; once both end, it is. I11, req 16."""
import time

from stage import Browser, Stage, expect, say, wait_for
from story_settings import FAST

with Stage("--hosts-max", "1", "--slots", "4", *FAST) as stage:
    busy, held, quiet = (stage.claim(user) for user in ("busy", "held", "quiet"))
    talk = Browser(busy["link"]).socket()
    stage.cli("hold", held["workspace"], "--for", "10m", "--why", "a long build")
    begun = time.monotonic()
    wait_for("the quiet one is stopped", lambda: (talk.ask("still here"), stage.workspace(quiet["workspace"])["state"] == "stopped")[1], 60)
    # Twice the window more, with a key pressed now and then in the busy one.
    quiet_s = time.monotonic() - begun
    end = time.monotonic() + 2 * 6
    wait_for("two more windows pass", lambda: (talk.ask("still here"), time.monotonic() > end)[1], 60)
    expect(stage.workspace(busy["workspace"])["state"] == "active", f"the busy one runs ({quiet_s:.0f} s + 12 s)")
    expect(stage.workspace(held["workspace"])["state"] == "active", "the held one runs")
    talk.socket.close()
    stage.wait_state(busy["workspace"], "stopped", 60)
    say("ok: and stops when its user is gone")
