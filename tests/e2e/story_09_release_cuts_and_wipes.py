# SPDX-License-Identifier: Apache-2.0
"""09: release cuts live sockets within 5 s, wipes the slot, and the old cookie opens nothing any more;
destroy erases the home. I24, I25, I27. Real containers."""
import os
import subprocess
import time

from stage import Browser, Stage, expect, wait_for

with Stage("--hosts-max", "1", "--slots", "2", "--set", "pool.default.standbys=0", engine="docker") as stage:
    granted = stage.claim("ada")
    identity = granted["workspace"]
    session = Browser(granted["link"])
    wait_for("the editor answers", lambda: session.get("/healthz").status == 200, 20)
    container = next(fact["data"]["container"] for fact in stage.facts(identity) if fact["type"] == "workspace.started")
    inside = subprocess.run(["docker", "exec", container, "sh", "-c", "echo secret > /tmp/left-behind; echo kept > ~/kept.txt"],
                            capture_output=True, text=True, env=stage.env)
    expect(inside.returncode == 0, f"a file outside the home ({inside.stderr.strip()})")
    socket = session.socket("/?type=Management&reconnectionToken=00000000-0000-0000-0000-000000000000&reconnection=false&skipWebSocketFrames=false")
    expect(socket.status == 101, "a live WebSocket to code-server")
    begun = time.monotonic()
    stage.cli("release", identity)
    expect(socket.is_cut(5), f"was cut {time.monotonic() - begun:.1f} s after the release")
    stage.wait_state(identity, "stopped", 60)
    gone = subprocess.run(["docker", "inspect", container], capture_output=True, text=True, env=stage.env)
    expect(gone.returncode != 0, "its container is gone, and what lay outside the home with it")
    expect(session.get("/").status in (401, 403, 404, 410, 503), "the old cookie opens nothing")
    expect(os.path.exists(os.path.join(stage.home(identity), "kept.txt")), "the home is kept")

    again = stage.claim("ada")
    expect(session.get("/").status in (401, 403), "nor after the next start: its epoch is over")
    expect(Browser(again["link"]).get("/healthz").status == 200, "while the new link does")
    stage.cli("destroy", identity, "--yes")
    wait_for("the home is erased", lambda: not os.path.exists(stage.home(identity)), 60)
