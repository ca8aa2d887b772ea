# SPDX-License-Identifier: Apache-2.0
"""16: the control plane and a host in containers, by deploy/compose.yaml as it is shipped: the host joins by itself, a claim is
granted and opened in a real editor, and both containers are restarted under it. Issue 16, point 3."""
import json
import os
import shutil
import subprocess
import tempfile
import time

from fronts import free_port
from stage import BIN, HERE, Browser, expect, http_call, say, skip, wait_for

ROOT = os.path.join(HERE, "../..")
ENGINE = os.environ.get("BERTH_ENGINE_DIR", "")
if os.geteuid() != 0 or not os.path.exists(os.path.join(ENGINE, "docker.sock")):
    skip("no private container engine")
if not shutil.which("docker-compose"):
    skip("docker-compose is not there: script/packages test")


class Composed:
    """What compose.yaml starts, under a project's name of its own, on ports that are free."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="berth-e2e-16-")
        self.state = os.path.join(self.folder, "host")          # of the host; a mount of its own, which shares what is mounted in it
        os.makedirs(self.state)
        self.project = os.path.basename(self.folder).lower().replace("_", "")
        self.port, self.proxy_port = free_port(), free_port()
        socket = os.path.join(ENGINE, "docker.sock")
        self.env = dict(os.environ, DOCKER_HOST=f"unix://{socket}", BERTH_DOCKER_SOCKET=socket, BERTH_HOST_STATE=self.state, BERTH_PORT=str(self.port),
                        BERTH_PROXY_PORT=str(self.proxy_port), BERTH_BIN=BIN, BERTH_CONTAINERS=os.path.join(self.folder, "images"))
        self.url = f"http://127.0.0.1:{self.port}"

    def run(self, *command, check=True, within=120):
        done = subprocess.run(command, capture_output=True, text=True, env=self.env, cwd=ROOT, timeout=within)
        assert not check or done.returncode == 0, f"{' '.join(command)} gave {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout.strip()

    def compose(self, *words, **more):
        return self.run("docker-compose", "-p", self.project, "-f", "deploy/compose.yaml", *words, **more)

    def container(self, service):
        return self.run("docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={self.project}", "--filter", f"label=com.docker.compose.service={service}")

    def workspaces(self):
        return self.run("docker", "ps", "-aq", "--filter", "label=berth.cluster").split()

    def up(self):
        self.run("mount", "--bind", self.state, self.state)
        self.run("mount", "--make-shared", self.state)
        self.run("script/containers", "--load")
        self.compose("up", "-d")
        wait_for("the gateway's /health", lambda: http_call(self.url + "/health").status == 200, 60)
        self.token = self.run("docker", "exec", self.container("control"), "cat", "/var/lib/berth/token")

    def call(self, method, path, body=None, timeout=130, **headers):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        return http_call(self.url + path, method, headers, json.dumps(body) if body is not None else None, timeout)

    def claim(self):
        answer = self.call("POST", "/v1/claims", {"user": "ada", "project": "site", "wait_ms": 90000}, **{"Idempotency-Key": f"k-{time.monotonic_ns()}"})
        granted = answer.json()
        assert answer.status in (200, 201) and granted.get("state") == "granted", f"{answer.status}: {granted}"
        return granted

    def end(self):
        self.compose("down", "-v", "-t", "10", check=False)
        for container in self.workspaces():
            self.run("docker", "rm", "-f", container, check=False)
        self.run("docker", "network", "prune", "-f", check=False)
        for _ in range(4):
            self.run("sh", "-c", f"for at in $(findmnt -rno TARGET | grep '^{self.state}' | sort -r); do umount -l $at; done", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def tell(self):
        for service in ("control", "token", "host"):
            name = self.container(service)
            if name:
                print(f"==== {service}\n" + self.run("sh", "-c", f"docker logs {name} 2>&1 | tail -40", check=False))
        print(self.run("docker", "ps", "-a", check=False), flush=True)


composed = Composed()
good = False
try:
    composed.up()
    say(f"up at {composed.url}")
    expect(composed.run("docker", "exec", composed.container("control"), "cat", "/proc/1/cmdline").find("init") >= 0, "an init reaps what the control plane leaves")
    host = wait_for("the host joins", lambda: [one for one in composed.call("GET", "/v1/hosts").json()["hosts"] if one["liveness"] == "live"], 60)[0]
    expect(host["host"] == "box-1", "the host joins by itself")
    granted = composed.claim()
    session = Browser(granted["link"])
    expect(session.port == composed.proxy_port, f"its link is for this machine: {granted['url']}")
    wait_for("the editor answers", lambda: session.get("/healthz").status == 200, 30)
    expect(len(composed.workspaces()) >= 1, "from a container beside the host's, not inside of it")
    home = os.path.join(composed.state, "homes", granted["workspace"])
    with open(os.path.join(home, "kept.txt"), "w") as to:
        to.write("kept")
    inside = next(fact["data"]["container"] for fact in composed.call("GET", f"/v1/facts?subject={granted['workspace']}").json()["facts"] if fact["type"] == "workspace.started")
    expect(composed.run("docker", "exec", inside, "sh", "-c", "cat ~/kept.txt") == "kept", "its home came into it while it ran")

    composed.compose("restart", "-t", "10", "host")
    wait_for("the session goes on through the host's next life", lambda: session.get("/healthz").status == 200, 60)
    composed.compose("restart", "-t", "20", "control")
    wait_for("the control plane is back", lambda: composed.call("GET", f"/v1/workspaces/{granted['workspace']}").json()["state"] == "active", 60)
    expect(session.get("/healthz").status == 200, "and through that of the control plane")
    composed.compose("up", "-d")
    wait_for("the host is live", lambda: composed.call("GET", "/v1/hosts").json()["hosts"][0]["liveness"] == "live", 60)
    hosts = composed.call("GET", "/v1/hosts").json()["hosts"]
    expect([one["host"] for one in hosts] == ["box-1"], "started once more it is the same host")
    composed.call("POST", f"/v1/workspaces/{granted['workspace']}/release", {})
    wait_for("it is stopped", lambda: composed.call("GET", f"/v1/workspaces/{granted['workspace']}").json()["state"] == "stopped", 60)
    expect(open(os.path.join(home, "kept.txt")).read() == "kept", "released, its home is kept on the machine")
    good = True
finally:
    if not good:
        composed.tell()
    composed.end()
