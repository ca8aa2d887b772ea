# SPDX-License-Identifier: Apache-2.0
"""homes_move: hosts that share no folder, and homes in a restic repository. A workspace starts on one host, and again
on another with its files; a save when somebody wants it; a machine that loses its power takes only what was never
archived, and that is said; an older archive comes back when it is asked for. A spot machine that Amazon takes back (its metadata service says so) is emptied
in time, and who worked there goes on elsewhere. Issues 13.3 and 14.2, requirement 14, I29."""
import os
import subprocess
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration/aws"))
from amazon import Server  # noqa: E402
from joined import Machine, broker_settings  # noqa: E402
from stage import Browser, Stage, expect, say, skip, wait_for  # noqa: E402

SETTINGS = """
[pool.lab]
provider = "static"
slots_per_host = 2
home_place = "archive"
home_repository = "{repository}"
home_password_file = "{password}"
home_save_every_ms = "0s"
[allocator]
heartbeat = "1s"
notice_margin = "15s"
[reaper]
heartbeat = "1s"
tick = "200ms"
"""


class Metadata:
    """The metadata service of one spot instance, as Amazon documents it."""

    def __init__(self):
        self.action, self.sessions = None, 0
        self.server = Server(self.answer)

    def answer(self, seen):
        if seen.method == "PUT" and seen.path == "/latest/api/token":
            self.sessions += 1
            return 200, {}, "a-session"
        if seen.headers.get("x-aws-ec2-metadata-token") != "a-session":
            return 401, {}, ""
        if seen.path == "/latest/meta-data/spot/instance-action" and self.action:
            return 200, {}, self.action
        if seen.path == "/latest/meta-data/autoscaling/target-lifecycle-state":
            return 200, {}, "InService"
        return 404, {}, ""


def taken_back(stage, token, workspace, home):
    """The notice comes ahead of the end, and its host is emptied some time before it (15 s here, a minute by default)."""
    metadata = Metadata()
    spot = hosts["spot-3"] = Machine(stage, token, "spot-3", "--set", "hostagent.end_notice_from=aws", homes=os.path.join(stage.folder, "homes of spot-3"),
                                     AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.server.url)
    wait_for("the spot machine is there", lambda: any(one["host"] == "spot-3" and one["liveness"] == "live" for one in stage.hosts()))
    stage.cli("hosts", "cordon", home)
    granted = stage.claim("ada", pool="lab")
    expect(granted["host"] == "spot-3", "a workspace runs on a spot machine")
    page = Browser(granted["link"]).socket()
    page.ask("write letter.txt four")
    wait_for("it asks its metadata service", lambda: metadata.sessions > 0)
    metadata.action = '{"action": "terminate", "time": "' + time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 20)) + '"}'
    wait_for("the notice is known, and why nothing new lands there", lambda: "takes this spot instance back" in stage.cli("why", "spot-3").stdout, 30)
    stage.wait_state(workspace, "stopped", 60)
    spot.lose_power()
    stage.cli("hosts", "uncordon", home)
    granted = stage.claim("ada", pool="lab")
    page = Browser(granted["link"]).socket()
    expect("four" in page.ask("read letter.txt"), "stopped and archived in time, it goes on elsewhere with all that was written")
    stage.cli("release", workspace)
    stage.wait_state(workspace, "stopped")
    metadata.server.close()


def archives(stage, workspace):
    return stage.cli_json("home", "list", workspace)


if subprocess.run(["restic", "version"], capture_output=True).returncode != 0:
    skip("restic is not installed")
stage = Stage()
repository, password = os.path.join(stage.folder, "repository"), os.path.join(stage.folder, "password")
with open(password, "w") as text:
    os.chmod(password, 0o600)
    text.write("correct horse")
subprocess.run(["restic", "-r", repository, "init"], check=True, capture_output=True, env={**os.environ, "RESTIC_PASSWORD_FILE": password})
config = os.path.join(stage.folder, "berth.toml")
with open(config, "w") as text:
    text.write(SETTINGS.format(repository=repository, password=password) + broker_settings())
stage.flags += ["--config", config]
hosts = {}
with stage:
    try:
        token = stage.cli("host-token", "--pool", "lab", "--uses", "3", "-o", "name").stdout.strip()
        stage.secrets += [token, "correct horse"]
        for name in ("box-1", "box-2"):
            hosts[name] = Machine(stage, token, name, homes=os.path.join(stage.folder, f"homes of {name}"))
        wait_for("both hosts are there", lambda: [one["host"] for one in stage.hosts() if one["liveness"] == "live"] == ["box-1", "box-2"])

        first = stage.claim("ada", pool="lab")
        workspace, home = first["workspace"], first["host"]
        other = "box-2" if home == "box-1" else "box-1"
        page = Browser(first["link"]).socket()
        page.ask("write letter.txt one")
        stage.cli("release", workspace)
        stage.wait_state(workspace, "stopped")
        listed = archives(stage, workspace)
        expect(len(listed) == 1, f"stopped, it is archived: {listed}")
        one_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        left = os.path.join(stage.folder, f"homes of {home}", workspace)
        expect(not os.path.exists(left), "and no copy is left on its host")

        stage.cli("hosts", "cordon", home)
        second = stage.claim("ada", pool="lab")
        expect(second["host"] == other and second["workspace"] == workspace, f"claimed again it starts on {other}")
        page = Browser(second["link"]).socket()
        expect("one" in page.ask("read letter.txt"), "with its files, though the hosts share no folder")
        wait_for("a second later", lambda: time.time() > time.mktime(time.strptime(one_at, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone + 1)
        page.ask("write letter.txt two")
        stage.cli("home", "save", workspace)
        expect(len(archives(stage, workspace)) == 2, "archived while it runs, when somebody asks")
        page.ask("write letter.txt three")

        refused = stage.cli("home", "restore", workspace, "--at", one_at, check=False)
        expect(refused.returncode != 0 and "stop" in refused.stderr, f"of a workspace that runs none is brought back: {refused.stderr.strip()}")
        hosts[other].lose_power()
        stage.cli("hosts", "uncordon", home)
        wait_for(f"{other} is unknown", lambda: {one["host"]: one["liveness"] for one in stage.hosts()}[other] == "unknown", 60)
        expect(stage.workspace(workspace)["host"] == other, "a host that lost its power keeps its lease until somebody knows (I15)")
        stage.cli("hosts", "end", other, "--force", "--why", "its power supply burnt")
        third = stage.claim("ada", pool="lab")
        expect(third["host"] == home and third["workspace"] == workspace, f"known to be gone, it starts on {home}")
        page = Browser(third["link"]).socket()
        expect("two" in page.ask("read letter.txt"), "with what was archived last, whole")
        why = stage.cli("why", workspace).stdout
        expect("is gone with it" in why, f"and what was not is said: {[line for line in why.splitlines() if 'gone with it' in line]}")

        stage.cli("release", workspace)
        stage.wait_state(workspace, "stopped")
        refused = stage.cli("home", "restore", workspace, "--at", "2020-01-01T00:00:00Z", check=False)
        expect(refused.returncode != 0 and refused.stderr.strip(), f"from before the first there is none: {refused.stderr.strip()}")
        refused = stage.cli("home", "restore", workspace, "--snapshot", "ffffffff", check=False)
        expect(refused.returncode != 0 and "ffffffff" in refused.stderr, f"nor one that is none: {refused.stderr.strip()}")
        stage.cli("home", "restore", workspace, "--at", one_at, "--why", "I liked it better")
        fourth = stage.claim("ada", pool="lab")
        page = Browser(fourth["link"]).socket()
        expect("one" in page.ask("read letter.txt"), "an older one comes back when it is asked for")
        expect(len(archives(stage, workspace)) == 3, "and the later ones stay listed")
        say("\n" + stage.cli("home", "list", workspace).stdout)
        stage.cli("release", workspace)
        stage.wait_state(workspace, "stopped")
        taken_back(stage, token, workspace, home)
    except AssertionError:
        for name, host in hosts.items():
            print(f"==== {name}\n{host.said()[-3000:]}")
        raise
    finally:
        for host in hosts.values():
            host.lose_power()
