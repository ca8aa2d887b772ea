# SPDX-License-Identifier: Apache-2.0
"""10: stop and `up` again: the same workspaces, in under 5 s, nothing left running in between; and again after
kill -9 of `up` itself. req 32."""
import os
import signal

from stage import Browser, Stage, expect, wait_for

with Stage("--hosts-max", "1", "--slots", "3") as stage:
    ada, bob = stage.claim("ada"), stage.claim("bob")
    Browser(ada["link"]).socket().ask("write diary.txt monday")
    stage.cli("release", bob["workspace"])
    stage.wait_state(bob["workspace"], "stopped")
    stage.down()
    seconds = stage.up()
    expect(seconds < 5 * float(os.environ.get("BERTH_SLOWER", "1")), f"the second start took {seconds:.2f} s")
    known = {one["workspace"]: one for one in stage.call("GET", "/v1/workspaces").json()["workspaces"]}
    expect(ada["workspace"] in known and bob["workspace"] in known, "both workspaces are known")
    again = stage.claim("ada")
    expect(again["workspace"] == ada["workspace"], "ada's is the same")
    expect("monday" in Browser(again["link"]).socket().ask("read diary.txt"), "with her file")

    os.kill(stage.up_process.pid, signal.SIGKILL)
    stage.up_process.wait()
    stage.up()
    once_more = stage.claim("ada")
    expect(once_more["workspace"] == ada["workspace"], "also after kill -9 of `up`")
    wait_for("her file is there", lambda: "monday" in Browser(stage.claim("ada")["link"]).socket().ask("read diary.txt"), 30)
