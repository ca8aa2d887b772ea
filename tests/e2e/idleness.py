# SPDX-License-Identifier: Apache-2.0
"""script/idleness: all situations, in groups that this machine's memory and cores can play at once."""
import sys

import situations
from stage import Stage

WINDOW_S = 60
GROUP = 7
chosen = [getattr(situations, name.replace("-", "_")) for name in sys.argv[1:]] or situations.ALL
rows = []
for first in range(0, len(chosen), GROUP):
    group = chosen[first:first + GROUP]
    with Stage("--hosts-max", "1", "--slots", str(len(group)), "--set", "pool.default.standbys=0", "--set", "pool.default.buffer=0",
               "--set", f"pool.default.idle_after_ms={WINDOW_S}s", "--set", "reaper.objection=10s",
               "--set", "reaper.activity=5s", "--set", "hostagent.activity_every=5s", engine="docker") as stage:
        rows += situations.play(stage, group, WINDOW_S, watch_s=WINDOW_S * 4)

print("| situation | truth | what became of it | |\n|---|---|---|---|")
for name, truth, after, verdict in rows:
    print(f"| {name.replace('-', ' ')} | {truth} | {'runs' if after is None else f'stopped {after:.0f} s after its last use'} | {verdict} |")
sys.exit(any(verdict != "right" for _, _, _, verdict in rows))
