# SPDX-License-Identifier: Apache-2.0
"""01: a claim, once bound to a standby and once cold, ends in VS Code in a browser; its terminal writes
a file over WebSocket. Real container, real code-server, real Chromium. Issue 3, design 8, req 1."""
import os
import time

from stage import Stage, chromium, expect, wait_for

# The editor's own helpers work in its terminal: each opens the file in a tab, or says where it failed (field report 9).
TYPED = 'code-server a.txt && code b.txt && test -x "$BROWSER" && echo written-in-the-terminal > note.txt'

with Stage("--hosts-max", "1", "--slots", "3", "--set", "pool.default.standbys=1", engine="docker") as stage:
    wait_for("a prepared environment stands by", lambda: any("prepared" in host.get("phases", []) for host in stage.hosts()), 120)
    begun = time.monotonic()
    warm = stage.claim("ada", "warm")
    warm_s = time.monotonic() - begun
    picture = os.path.join(os.environ.get("BERTH_PICTURES", stage.folder), "vscode.png")
    note = os.path.join(stage.home(warm["workspace"]), "note.txt")
    seen = chromium("workbench", warm["link"], picture, TYPED, note, "written-in-the-terminal\n")[-1]
    expect(open(note).read() == "written-in-the-terminal\n", f"the terminal's file is in the home (typed {seen['typed']} times)")
    expect("token=" not in seen["url"], "the one-use token is not left in the browser's address")

    # The standby that ada took is being made again; a claim for two more slots finds at most one.
    begun = time.monotonic()
    stage.claim("bob", "second")
    cold = stage.claim("eve", "third")
    cold_s = time.monotonic() - begun
    chromium("workbench", cold["link"], os.path.join(stage.folder, "cold.png"))
    print(f"-- claim on a standby {warm_s:.3f} s, two more {cold_s:.2f} s, workbench after the link {seen['ms']} ms")
