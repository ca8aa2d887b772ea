# SPDX-License-Identifier: Apache-2.0
"""aws_group: a pool that is an Auto Scaling group, on the wire. The group is the faulty one of
integration/scaler/fake_amazon.py (proved with boto3 there); each machine that comes into service gets a real host
agent that enrols itself, and each one that is ended loses it as by a power cut. Claims and releases (BERTH_RACES of them) race
with the scaler's giving back, while somebody else writes the desired number, calls are lost and throttled, and
scaler, allocator and gateway are killed in turn. No machine that somebody holds is ended by us (I13, I17, I18, I31),
what the others changed is told and not fought. Issue 14, requirements 8-12."""
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, "../integration/scaler"), os.path.join(HERE, "../integration/aws")]
from amazon import Server  # noqa: E402
from fake_amazon import Faults, Group  # noqa: E402
from joined import Machine, broker_settings  # noqa: E402
from stage import BIN, SLOWER, Stage, expect, say, wait_for  # noqa: E402

RACES = int(os.environ.get("BERTH_RACES", 200 // SLOWER))
HOSTS = 5
USERS = 8
SETTINGS = """
[pool.default]
standbys = 1
hosts_max = {hosts}
[provider.aws]
region = "us-east-1"
[allocator]
heartbeat = "1s"
[reaper]
tick = "100ms"
[scaler]
tick = "50ms"
list_every = "500ms"
cooldown = "100ms"
shrink_after = "100ms"
launches_per_hour_max = 100000
backoff = "100ms"
backoff_slow = "500ms"
backoff_max = "1s"
retry = "100ms"
[gateway]
reach_every = "10s"
"""


class Amazon:
    """The group, its time, and the machines that it has."""

    def __init__(self, seed):
        self.faults = Faults()
        self.group = Group(self.faults, seed)
        self.group.max, self.group.desired, self.group.boot_ticks = HOSTS + 2, 0, 2
        self.server = Server(self.answer)
        self.machines, self.held, self.broken = {}, {}, []
        self.over = threading.Event()
        self.lock = threading.RLock()
        self.ended_by_us, self.ended_by_group = set(), set()
        self.stage = self.token = self.thread = None

    def answer(self, seen):
        with self.lock:
            before = {name for name, member in self.group.members.items() if member["by"] == "us"}
            answered = self.group.answer(seen)
            named = {name for name, member in self.group.members.items() if member["by"] == "us"} - before
            self.ended_by_us |= named
            for name in named & set(self.held.values()):
                self.broken.append(f"{name} was ended while somebody holds {[one for one, at in self.held.items() if at == name]}")
            return answered

    def hold(self, workspace, host):
        with self.lock:
            self.held[workspace] = host
            if host in self.ended_by_us:
                self.broken.append(f"{workspace} was granted on {host}, which we had ended")

    def let_go(self, workspace):
        with self.lock:
            self.held.pop(workspace, None)

    def live(self):
        while not self.over.wait(0.2):
            self.group.tick()
            with self.lock:
                members = {name: dict(member) for name, member in self.group.members.items()}
            for name, member in members.items():
                if member["state"] == "InService" and name not in self.machines:
                    self.machines[name] = Machine(self.stage, self.token, name)
            for name in [one for one in self.machines if one not in members or members[one]["state"] == "Terminating"]:
                if name not in self.ended_by_us:
                    self.ended_by_group.add(name)
                machine = self.machines[name]
                if machine:
                    machine.lose_power()
                self.machines[name] = None

    def end(self):
        self.over.set()
        if self.thread:
            self.thread.join(30)
        for machine in filter(None, self.machines.values()):
            machine.lose_power()
        self.server.close()

    def tell(self):
        for name in list(self.machines)[-3:]:
            text = open(os.path.join(self.stage.folder, name + ".log"), errors="replace").read()
            print(f"==== {name} {self.group.members.get(name)}\n{text[-2000:]}")

    def begin(self, stage, token):
        self.stage, self.token = stage, token
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.thread.start()


class User(threading.Thread):
    """Claims, holds for a moment, releases: a race each time. Sometimes many do, sometimes few."""
    races, crowd = 0, USERS
    lock = threading.Lock()

    def __init__(self, stage, amazon, name, seed):
        super().__init__(daemon=True)
        self.stage, self.amazon, self.name, self.chance = stage, amazon, name, random.Random(seed)
        self.lost = 0

    def call(self, path, body, key):
        try:
            answer = self.stage.call("POST", path, body, headers={"Idempotency-Key": key}, timeout=60)
            return answer.json() if answer.status < 300 else None
        except (OSError, ValueError):
            return None

    def run(self):
        turn, held = 0, None
        while held or User.races < RACES:
            turn += 1
            if held is None and int(self.name[1:]) >= User.crowd:
                threading.Event().wait(0.05)
            elif held is None:
                granted = self.call("/v1/claims", {"user": self.name, "project": "race", "wait_ms": 20000}, f"{self.name}-{turn}")
                if granted and granted.get("state") == "granted":
                    held = granted["workspace"]
                    self.amazon.hold(held, granted["host"])
                threading.Event().wait(self.chance.random() * 0.3)
            else:
                self.amazon.let_go(held)            # from now on it may go at any moment
                if self.call(f"/v1/workspaces/{held}/release", {"why": "raced"}, f"{self.name}-r{turn}") is None:
                    self.lost += 1
                    if self.lost > 200:
                        return
                    threading.Event().wait(0.2)
                    state = self.state_of(held)
                    if state not in ("over", ""):
                        continue
                held = None
                with User.lock:
                    User.races += 1
                threading.Event().wait(self.chance.random() * 0.4)

    def state_of(self, workspace):
        """'over' when it needs no release any more; '' when nobody answers."""
        try:
            answer = self.stage.call("GET", f"/v1/workspaces/{workspace}", timeout=20)
            return "over" if answer.status == 404 or answer.json()["state"] in ("stopped", "failed", "stopping") else "active"
        except (OSError, ValueError, KeyError):
            return "unknown"


def meddle(stage, amazon, seed):
    """Somebody else's hand on the group, a bad wire, and kill -9 of each process in turn."""
    chance, turn = random.Random(seed), 0
    while User.races < RACES and not amazon.broken:
        turn += 1
        threading.Event().wait(0.5)
        User.crowd = chance.choice([0, 1, 4, USERS])
        what = chance.random()
        if what < 0.3:
            with amazon.lock:
                amazon.group.desired = chance.randrange(amazon.group.max + 1)
        elif what < 0.5:
            amazon.faults.throttle, amazon.faults.lost, amazon.faults.broken, amazon.faults.old = (chance.random() * 0.1 for _ in range(4))
        elif what < 0.6:
            amazon.faults.quota = chance.choice([0, 0, 2, HOSTS])
        if turn % 8 == 0:
            name = ["scaler", "allocator", "gateway"][turn // 8 % 3]
            old = stage.kill(name)
            wait_for(f"another {name}", lambda: stage.pid_of(name) != old, 30)
    amazon.faults.throttle = amazon.faults.lost = amazon.faults.broken = amazon.faults.old = 0.0
    amazon.faults.quota = 0
    return turn


def as_before(stage):
    """What a forerunner's users type goes on as it was."""
    told = stage.call("GET", "/my-project").json()
    machine = told["instanceId"]
    expect(machine in [host["instance"] for host in stage.hosts()], f"curl /my-project gives a machine: {told}")
    listed = next(one for one in stage.call("GET", "/status").json()["machines"] if one["instanceId"] == machine)
    expect(listed["isUsed"] and listed["assignedProject"] == "my-project", f"/status shows who has it: {listed}")
    ended = stage.call("POST", "/destroy", {"machineId": machine})
    expect(ended.status in (200, 202), f"and /destroy ends it: {ended.status} {ended.body!r}")
    wait_for("it is gone", lambda: machine not in [host["instance"] for host in stage.hosts() if host["liveness"] != "gone"], 60)


def too_early(folder):
    """A machine boots while its gateway is being started again: its agent tries on, and hears what it says then."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [os.path.join(BIN, "berth-hostagent"), "join", "--no-run", "--wait", "60s", "--url", f"http://127.0.0.1:{port}", "--token", "berth_early",
             "--name", "early", "--state", os.path.join(folder, "early")]
    agent = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = agent.stdout.readline()
    expect("join.waits" in said and "Failed to connect" in said, f"an agent that finds no gateway says so and waits: {said.strip()}")
    server = Server(lambda seen: (403, {"Content-Type": "application/json"}, '{"kind": "denied", "detail": "the token is spent"}'), port)
    rest = agent.communicate(timeout=60)[0]
    server.close()
    expect(agent.returncode != 0 and "the token is spent" in rest, f"what it is told counts: {rest.strip()}")


seed = int(os.environ.get("BERTH_SEED", random.randrange(1 << 32)))
say(f"reproduce: BERTH_SEED={seed}")
amazon = Amazon(seed)
stage = Stage()
too_early(stage.folder)
config = os.path.join(stage.folder, "berth.toml")
with open(config, "w") as text:
    text.write(SETTINGS.format(hosts=HOSTS) + broker_settings())
stage.flags += ["--config", config]
for name in [name for name in stage.env if name.startswith("AWS_")]:
    del stage.env[name]
stage.env.update(ASG_NAME="workers", TARGET_AVAILABLE="1", AWS_ACCESS_KEY="AK", AWS_SECRET_KEY="sk", AWS_EC2_METADATA_DISABLED="true", AWS_ENDPOINT_URL=amazon.server.url)
with stage:
    try:
        expect('ASG_NAME became [pool.default.template] group = "workers"' in stage.up_log(), "the .env of a forerunner makes the pool (req 22)")
        token = stage.cli("host-token", "--pool", "default", "--uses", "10000", "-o", "name").stdout.strip()
        stage.secrets.append(token)
        amazon.begin(stage, token)
        wait_for("the scaler asked the group for machines, and one enrolled", lambda: any(host["liveness"] == "live" for host in stage.hosts()), 30)
        begun = time.monotonic()
        users = [User(stage, amazon, f"u{number}", seed + number) for number in range(USERS)]
        for user in users:
            user.start()
        turns = meddle(stage, amazon, seed)
        for user in users:
            user.join(120)
        expect(not amazon.broken, f"no machine that somebody held was ended by us {amazon.broken}")
        expect(User.races >= RACES, f"{User.races} claims raced with the scaler in {time.monotonic() - begun:.0f} s")
        wait_for("it gave some back meanwhile", lambda: len(amazon.ended_by_us) >= max(1, RACES // 50), 60)
        expect(not amazon.broken, f"which gave back {len(amazon.ended_by_us)} of {amazon.group.launched} machines meanwhile")
        say(f"{turns} times somebody meddled, {len(amazon.ended_by_group)} machines the group ended by itself")
        with amazon.lock:
            amazon.group.desired = min(amazon.group.desired + 1, amazon.group.max)
        wait_for("what each machine costs stands beside it (req 31)", lambda: re.search(r"m5\.large +\$0\.096", stage.cli("hosts").stdout), 30)
        wait_for("what others changed is told", lambda: "somebody else set the desired number" in stage.cli("pools").stderr, 60)
        as_before(stage)
    except AssertionError:
        amazon.tell()
        raise
    finally:
        amazon.end()
    sealed = set()
    stage.down()
    for fact in stage.ledger():
        host = fact["data"].get("host", "")
        host = host if isinstance(host, str) else host["host"]
        if fact["type"] == "host.drained":
            sealed.add(host)
        if fact["type"] == "lease.granted" and host in sealed:
            raise AssertionError(f"{host} was sealed, and leased at {fact['position']} (I13)")
        if fact["type"] == "host.uncordoned":
            sealed.discard(host)
    expect(sealed, f"{len(sealed)} hosts were sealed and never leased again (I13)")
