# SPDX-License-Identifier: Apache-2.0
"""11: an old copy of the ledger is put back. Hosts obey nothing of it and doctor says so; after `recover` the
workspace of the lost part is its user's again, with its file, and nobody gets another's. F16, I1, I3."""
import glob
import os
import shutil
import subprocess

from stage import BIN, Browser, Stage, expect, wait_for


def ledger_files(stage):
    return glob.glob(stage.state + "/ledger.sqlite*")


def allocator(stage, *arguments):
    done = subprocess.run([BIN + "/berth-allocator", "--state", stage.state, *arguments], capture_output=True, text=True)
    expect(done.returncode == 0, f"berth-allocator {' '.join(arguments)}: {done.stdout or done.stderr}")
    return done.stdout


with Stage("--hosts-max", "1", "--slots", "3", "--set", "allocator.heartbeat=1s", "--set", "allocator.recovery_settle=1s") as stage:
    ada = stage.claim("ada")
    stage.down()
    copy = stage.state + "/copy"
    os.mkdir(copy)
    for file in ledger_files(stage):
        shutil.copy2(file, copy)

    stage.up()
    bob = stage.claim("bob")
    Browser(bob["link"]).socket().ask("write diary.txt tuesday")
    stage.cli("release", ada["workspace"])
    stage.wait_state(ada["workspace"], "stopped")
    stage.down()

    for file in ledger_files(stage):
        os.unlink(file)
    for file in glob.glob(copy + "/*"):
        shutil.copy2(file, stage.state)
    stage.up()
    wait_for("doctor says that it is an old copy, and what to do",
             lambda: "berth-allocator recover" in stage.cli("doctor", check=False).stdout, 30)
    refused = stage.cli("claim", "site", "--user", "carol", "--no-wait", check=False)
    expect(refused.returncode != 0 and "old copy" in refused.stderr, f"no new lease of a doubted ledger: {refused.stderr}")
    stage.down()

    allocator(stage, "verify")
    expect("goes on as" in allocator(stage, "recover"), "it goes on as another ledger")
    stage.up()
    again = stage.claim("bob")
    expect(again["workspace"] == bob["workspace"], "bob's workspace is the one of the lost part")
    wait_for("with his file", lambda: "tuesday" in Browser(stage.claim("bob")["link"]).socket().ask("read diary.txt"), 30)
    carol = stage.claim("carol")
    expect(carol["workspace"] not in (ada["workspace"], bob["workspace"]), "carol gets her own")
    hers = stage.claim("ada")
    expect(hers["workspace"] == ada["workspace"], "ada's is the same")
    expect(any(fact["type"] == "host.recovered" for fact in stage.facts(bob["workspace"])), "`berth why` says how it is known")
    expect("ok" in stage.cli("doctor", check=False).stdout, "doctor is content")
