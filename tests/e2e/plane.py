# SPDX-License-Identifier: Apache-2.0
"""A control plane, hosts and people, each on a machine of its own (network.py)."""
import json
import os
import shutil
import signal
import subprocess
import time

from stage import BIN, Browser, http_call, parse_origin, wait_for


class Plane:
    """The control plane on its machine, as `berth up` runs it there."""

    def __init__(self, machine, folder, settings):
        self.machine, self.state = machine, os.path.join(folder, "plane")
        self.config = os.path.join(folder, "berth.toml")
        with open(self.config, "w") as text:
            text.write(settings.format(plane=machine.address))
        self.url = f"http://{machine.address}:9092"
        self.env = dict(os.environ, BERTH_STATE=self.state, USER="operator", XDG_CONFIG_HOME=folder)
        self.log = open(os.path.join(folder, "up.log"), "ab")
        self.up_process = subprocess.Popen(machine.command(os.path.join(BIN, "berth"), "up", "--engine", "process", "--config", self.config),
                                           stdout=self.log, stderr=subprocess.STDOUT, env=self.env, start_new_session=True)

        def ready():
            said = open(self.log.name, errors="replace").read()
            if self.up_process.poll() is not None:
                raise AssertionError(f"berth up ended: {said[-2000:]}")
            return "berth is ready" in said
        wait_for("berth up is ready", ready, 60)
        self.token = open(os.path.join(self.state, "token")).read().strip()

    def cli(self, *words, check=True):
        done = subprocess.run(self.machine.command(os.path.join(BIN, "berth"), *words), capture_output=True, text=True, env=self.env, timeout=120)
        assert not check or done.returncode == 0, f"berth {' '.join(words)}: {done.stdout}{done.stderr}"
        return done

    def call(self, method, path, body=None, token=None, key=None, timeout=60):
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        with self.machine.inside():
            return http_call(f"http://127.0.0.1:9092{path}", method, headers, None if body is None else json.dumps(body), timeout)

    def host(self, name):
        answer = self.call("GET", f"/v1/hosts/{name}")
        return answer.json() if answer.status == 200 else {}

    def wait_host(self, name, within=60, **wanted):
        wait_for(f"{name} is {wanted}", lambda: all(self.host(name).get(key) == value for key, value in wanted.items()), within)

    def wait_until(self, is_so, what, within=60):
        wait_for(what, is_so, within)

    def pid_of(self, name):
        with open(os.path.join(self.state, "run", name + ".pid")) as text:
            return int(text.read())

    def kill(self, name):
        old = self.pid_of(name)
        os.kill(old, signal.SIGKILL)
        return old

    def wait_back(self, name, old):
        wait_for(f"another {name}", lambda: self.pid_of(name) != old, 30)
        self.wait_until(lambda: self.call("GET", "/health").status == 200, "all is well", 30)

    def restart(self, name):
        """Kills that process; `up` starts it again."""
        old = self.kill(name)
        wait_for(f"another {name}", lambda: self.pid_of(name) != old, 30)
        wait_for("the gateway follows again", lambda: self.call("GET", "/health").status == 200 and self.call("GET", "/v1/hosts").status == 200, 30)

    def facts(self):
        facts, page = [], 1
        while True:
            answer = self.call("GET", f"/v1/facts?from={page}&limit=500").json()
            facts += answer["facts"]
            if "next" not in answer:
                return facts
            page = answer["next"]


class Host:
    """One more machine, by the command that `berth host-token` printed."""

    def __init__(self, plane, machine, name, folder):
        self.plane, self.machine, self.name = plane, machine, name
        self.state, self.homes = os.path.join(folder, name), os.path.join(folder, "homes")
        self.output = os.path.join(folder, name + ".log")
        self.agent = None

    def join(self, token, *more, run=True):
        words = self.machine.command(os.path.join(BIN, "berth-hostagent"), "join", "--url", self.plane.url, "--token", token, "--name", self.name,
                                     "--state", self.state, "--homes", self.homes, "--engine", "process", *more)
        if run:
            self.agent = subprocess.Popen(words, stdout=open(self.output, "ab"), stderr=subprocess.STDOUT, start_new_session=True)
            return None
        done = subprocess.run(words + ["--no-run"], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def start(self):
        """As its systemd unit would: the folder says all."""
        self.agent = subprocess.Popen(self.machine.command(os.path.join(BIN, "berth-hostagent"), "--state", self.state),
                                      stdout=open(self.output, "ab"), stderr=subprocess.STDOUT, start_new_session=True)

    def said(self, text):
        return text in open(self.output, errors="replace").read()


class Door:
    """A front door on a machine of its own: its key, the broker's addresses, and nothing else."""

    def __init__(self, plane, machine, folder, domain="apps.test"):
        self.plane, self.machine, self.folder, self.port = plane, machine, os.path.join(folder, machine.name), 8080
        os.makedirs(os.path.join(self.folder, "keys"))
        for name in ("edge.key", "broker.pub"):
            shutil.copy(os.path.join(plane.state, "keys", name), os.path.join(self.folder, "keys", name))
        with open(os.path.join(self.folder, "bus.toml"), "w") as text:
            text.write(f'[bus]\nrequests = "tcp://{plane.machine.address}:9094"\nevents_out = "tcp://{plane.machine.address}:9095"\n')
        with open(os.path.join(self.folder, "edge.toml"), "w") as text:
            text.write(f'[edge]\nport = {self.port}\napps_domain = "{domain}"\nrecheck = "200ms"\ndrain_grace = "2s"\n')
        self.output = os.path.join(self.folder, "edge.log")
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.machine.command(os.path.join(BIN, "berth-proxy"), "--edge", "--config", os.path.join(self.folder, "edge.toml"), "--bus",
                                                             os.path.join(self.folder, "bus.toml"), "--keys", os.path.join(self.folder, "keys")),
                                        stdout=open(self.output, "ab"), stderr=subprocess.STDOUT, start_new_session=True)
        wait_for(f"the door {self.machine.name} serves", self.is_open, 20)

    def is_open(self):
        with self.machine.inside():
            return http_call(f"http://127.0.0.1:{self.port}/_berth/health", host="door.test").status == 200


class Person:
    def __init__(self, plane, machine, user):
        self.plane, self.machine, self.user = plane, machine, user
        self.token = plane.call("POST", "/v1/tokens", {"role": "user", "user": user}).json()["token"]

    def claim(self, project, wait_ms=60000, pool="lab"):
        """From their own machine, by HTTP to the gateway's public address."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
                   "Idempotency-Key": f"{self.user}-{project}-{time.monotonic_ns()}"}
        with self.machine.inside():
            return http_call(self.plane.url + "/v1/claims", "POST", headers, json.dumps({"project": project, "pool": pool, "wait_ms": wait_ms}), 90)

    def granted(self, project, **more):
        answer = self.claim(project, **more)
        said = answer.json()
        assert said.get("state") == "granted", f"{answer.status}: {said}"
        return said

    def release(self, workspace):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        with self.machine.inside():
            return http_call(f"{self.plane.url}/v1/workspaces/{workspace}/release", "POST", headers, "{}").status

    def open(self, granted):
        """The link as it is: the host's own address and the port of its slot."""
        address = parse_origin(granted["link"])[0]
        assert address == granted["ip"], f"{granted['link']} is not at {granted['ip']}"
        with self.machine.inside():
            return Browser(granted["link"], address=address)

    def get(self, browser, path="/"):
        with self.machine.inside():
            return browser.get(path).status

    def socket(self, browser):
        with self.machine.inside():
            return browser.socket()


def judge(facts):
    """No slot was leased twice, and no workspace had two leases (I1); epochs only grew (I3)."""
    slots, workspaces, epochs, granted = {}, {}, {}, 0
    for fact in facts:
        data = fact["data"]
        if fact["type"] == "lease.granted":
            slot = (data["host"], data["slot"])
            assert slot not in slots, f"{slot} was leased twice: {slots[slot]} and {data['workspace']}"
            assert data["workspace"] not in workspaces, f"{data['workspace']} had two leases: {workspaces[data['workspace']]} and {slot}"
            assert int(data["epoch"]) > epochs.get(slot, 0), f"the epoch of {slot} did not grow"
            slots[slot], workspaces[data["workspace"]], epochs[slot] = data["workspace"], slot, int(data["epoch"])
            granted += 1
        elif fact["type"] in ("workspace.stopped", "workspace.failed"):
            slots.pop(workspaces.pop(data["workspace"], None), None)
    return granted


def tell(network, plane, hosts):
    print("==== up.log\n" + open(plane.log.name, errors="replace").read()[-2000:])
    for name in ("broker", "allocator", "gateway"):
        path = os.path.join(plane.state, "log", name + ".log")
        print(f"==== {name}\n" + (open(path, errors="replace").read()[-3000:] if os.path.exists(path) else ""))
    for host in hosts:
        print(f"==== {host.name}\n" + (open(host.output, errors="replace").read()[-3000:] if os.path.exists(host.output) else ""))
