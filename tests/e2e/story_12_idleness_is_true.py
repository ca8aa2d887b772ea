# SPDX-License-Identifier: Apache-2.0
"""12: an editor that nobody touches is idle, and a job that waits is not: some of the situations of
script/idleness, at once. Real containers, real code-server, real Chromium. Design 9, I32, field reports 25 and 34."""
from players import play
from situations import FEW, FILES
from stage import Stage, expect

WINDOW_S = 20
with Stage("--hosts-max", "1", "--slots", str(len(FEW)), "--set", "pool.default.standbys=0", "--set", "pool.default.buffer=0",
           "--set", f"pool.default.idle_after_ms={WINDOW_S}s", "--set", "reaper.objection=5s", "--set", "reaper.tick=500ms",
           "--set", "reaper.activity=3s", "--set", "hostagent.activity_every=3s", engine="docker") as stage:
    rows = play(stage, FEW, FILES, WINDOW_S, watch_s=110)
    for name, truth, after, verdict in rows:
        print(f"-- {name:<22} {truth:<7} {'runs' if after is None else f'stopped after {after:.0f} s':<22} {verdict}")
    wrong = [row for row in rows if row[3] != "right"]
    expect(not wrong, f"{len(rows)} situations: none is stopped in use, none lives on ({wrong})")
