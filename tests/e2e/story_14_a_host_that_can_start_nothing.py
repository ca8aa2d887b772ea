# SPDX-License-Identifier: Apache-2.0
"""14: a host that can start nothing is passed over and says why, to everyone who asks; and it is used again as
soon as it can, without anybody's help. What ends by itself starts again, under its present name. Field reports
20, N2, N3 and N7; I11."""
import os
import signal
import tempfile

from stage import BIN, Stage, expect, wait_for
from story_settings import FAST

folder = tempfile.mkdtemp(prefix="berth-e2e-")
program, broken = os.path.join(folder, "workspace"), os.path.join(folder, "broken")
with open(program, "w") as script:
    script.write(f"#!/bin/sh\nif [ -e {broken} ]; then echo 'the disk of images is gone' >&2; exit 1; fi\nexec {os.path.abspath(BIN)}/berth-workspace \"$@\"\n")
os.chmod(program, 0o755)

with Stage("--hosts-max", "1", "--slots", "4", "--buffer", "1", *FAST, "--set", "pool.default.idle_after_ms=10m", "--set", "pool.default.standbys=1",
           "--set", "hostagent.standby_retry=300ms", "--set", "hostagent.trouble_retry_max=1s", "--set", "hostagent.inventory_every=500ms",
           "--set", f"hostagent.process_command={program} --folder {{folder}} --port {{port}}") as stage:
    def ready():
        return stage.call("GET", "/v1/pools").json()["pools"][0]["ready"]

    wait_for("slots are ready", lambda: ready() > 0, 60)
    first = stage.claim("ada")
    doctor = stage.cli("doctor", check=False)
    expect("ok    start" in doctor.stdout, f"doctor starts and removes an environment ({doctor.stdout})")

    open(broken, "w").close()
    wait_for("the standby is used up or gone", lambda: stage.claim("bob") if stage.hosts()[0].get("phases", []).count("prepared") else True, 60)
    wait_for("no slot counts as ready", lambda: ready() == 0, 60)
    host = stage.hosts()[0]
    expect("impaired" in host, f"the host says why ({host.get('impaired')})")
    late = stage.cli("claim", "late", "--user", "eve", "--wait", "3s", check=False)
    expect(late.returncode != 0 and host["host"] + ": " in late.stderr, f"the waiting claim says who was passed over and why ({late.stderr.strip()})")
    doctor = stage.cli("doctor", check=False)
    expect("BAD   start" in doctor.stdout and "it can start nothing" in doctor.stdout, f"doctor says it too ({doctor.stdout})")
    expect("can start nothing" in stage.cli("status").stdout and "can start nothing" in stage.cli("hosts").stdout, "and status and hosts")

    os.remove(broken)
    wait_for("slots are ready again by themselves", lambda: ready() > 0, 30)
    expect(stage.claim("eve")["state"] == "granted", "and a claim is granted at once")

    before = stage.workspace(first["workspace"])["container"]
    slot = stage.workspace(first["workspace"])["slot"]
    pid = int(open(os.path.join(stage.state, "hosts", host["host"], "slots", str(slot), "pid")).read().split()[0])
    os.kill(pid, signal.SIGKILL)
    wait_for("another environment has its name", lambda: stage.workspace(first["workspace"])["container"] not in ("", before), 30)
    restarts = [fact for fact in stage.facts(first["workspace"]) if fact["type"] == "workspace.restarted"]
    expect(len(restarts) == 1 and before in restarts[0]["reason"]["why"], f"the restart is a fact with its reason ({restarts})")
