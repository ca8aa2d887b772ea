# SPDX-License-Identifier: Apache-2.0
"""script/idleness: all situations, in groups that this machine's memory and cores can play at once."""
import sys

import players
import rival_rules
import situations
from stage import Stage

WINDOW_S = 60
GROUP = 7
names = [name for name in sys.argv[1:] if not name.startswith("--")]
chosen = [getattr(situations, name.replace("-", "_")) for name in names] or situations.ALL
rivals = "--rivals" in sys.argv          # nothing is stopped; what other rules would have done
if rivals:
    chosen = [one for one in chosen if one not in (situations.keep_it, situations.hold)]    # nobody else has these words
rows = []
for first in range(0, len(chosen), GROUP):
    group = chosen[first:first + GROUP]
    with Stage("--hosts-max", "1", "--slots", str(len(group)), "--set", "pool.default.standbys=0", "--set", "pool.default.buffer=0",
               "--set", f"pool.default.idle_after_ms={'6h' if rivals else f'{WINDOW_S}s'}", "--set", "reaper.objection=15s",
               "--set", "reaper.activity=5s", "--set", "hostagent.activity_every=5s", engine="docker") as stage:
        if not rivals:
            rows += players.play(stage, group, situations.FILES, WINDOW_S, watch_s=WINDOW_S * 4)
            continue
        watcher = rival_rules.Watcher(stage)
        players.play(stage, group, situations.FILES, WINDOW_S, watch_s=WINDOW_S * 3, watcher=watcher)
        watcher.end()
        rows += [[actor.name, "over" if actor.over else "in use",
                  *(rival_rules.judge(rule, actor, watcher.notes.get(actor.name, []), WINDOW_S, players.LATE_S) for rule in rival_rules.RULES)]
                 for actor in watcher.actors]

if rivals:
    print("| situation | truth | " + " | ".join(rival_rules.RULES) + " |\n|---|---" + "|---" * len(rival_rules.RULES) + "|")
    for name, truth, *verdicts in rows:
        print(f"| {name.replace('-', ' ')} | {truth} | " + " | ".join(verdicts) + " |")
    print("| wrong | | " + " | ".join(f"{sum(row[2 + i] != 'right' for row in rows)} of {len(rows)}" for i in range(len(rival_rules.RULES))) + " |")
    sys.exit(0)
print("| situation | truth | what became of it | |\n|---|---|---|---|")
for name, truth, after, verdict in rows:
    print(f"| {name.replace('-', ' ')} | {truth} | {'runs' if after is None else f'stopped {after:.0f} s after its last use'} | {verdict} |")
sys.exit(any(verdict != "right" for _, _, _, verdict in rows))
