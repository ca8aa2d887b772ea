# SPDX-License-Identifier: Apache-2.0
"""13: hosts on other machines. Each machine is a network namespace with an address of its own: the control plane,
three hosts that enrol with a token, a person's, one whose agent speaks HTTP alone. Claims from the person's machine are
opened at the host's own address, without any DNS; a drain moves a workspace; a cut network, one way and both, takes nothing from who works (I12) and gives
nothing away twice (I1, I15); a host that was ended is cut off (I23). Issue 13, requirements 1, 2, 9, 17, 22, 28."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from network import Network, is_possible
from plane import Door, Host, Person, Plane, judge, tell
from stage import BIN, Browser, expect, http_call, parse_origin, say, skip, wait_for
from traffic import Traffic, judged

SETTINGS = """
[pool.lab]
provider = "static"
slots_per_host = 2
[pool.attic]
provider = "static"
slots_per_host = 2
[pool.machines]
provider = "static"
slots_per_host = 1
[pool.front]
provider = "static"
slots_per_host = 1
[gateway]
listen_address = "0.0.0.0"
public_url = "http://{plane}:9092"
reach_every = "1s"
[broker]
requests_hosts = "tcp://0.0.0.0:9094"
events_out = "tcp://0.0.0.0:9095"
[allocator]
heartbeat = "1s"
[reaper]
heartbeat = "1s"
tick = "200ms"
[hostagent]
outage_limit = "1h"
plain_port_first = 9500
plain_port_count = 2
"""


def enrol(plane, hosts, stranger):
    minted = plane.cli("host-token", "--pool", "lab", "--uses", "3", "--ttl", "10m")
    words = minted.stdout.split()
    expect(words[:4] == ["berth-hostagent", "join", "--url", plane.url], "`berth host-token` prints the one command, with the address that others use")
    token = words[5]
    for host in hosts:
        host.join(token)
    for host in hosts:
        plane.wait_host(host.name, liveness="live", pool="lab", provider="static")
        wait_for(f"the gateway reached {host.name}'s proxy", lambda: plane.host(host.name).get("reach", {}).get("ok"), 20)
    expect(all(plane.host(host.name)["public_ip"] == host.machine.address for host in hosts), "three machines enrolled, each by its own address")
    wait_for("and the agents say so themselves", lambda: all(host.said("host.reached") for host in hosts), 20)
    line = open(f"/proc/{hosts[0].agent.pid}/cmdline").read()
    expect(token not in line, "the token does not stand in the list of processes (I30)")

    expect_refusal(stranger.join(token, run=False), "the token is spent: it was for 3 machines")
    expect_refusal(stranger.join("berth_" + "0" * 64, run=False), "it was revoked, or mistyped")
    attic = plane.cli("host-token", "--pool", "attic", "-o", "name").stdout.strip()
    expect_refusal(stranger.join(attic, "--pool", "lab", run=False), "this token is for pool 'attic', not for 'lab'")
    taken = Host(plane, stranger.machine, hosts[0].name, os.path.join(os.path.dirname(stranger.state), "elsewhere"))
    expect_refusal(taken.join(attic, run=False), f"{hosts[0].name} is enrolled with another key")
    spare = json.loads(plane.cli("host-token", "--pool", "attic", "-o", "json").stdout)
    plane.cli("host-token", "revoke", spare["id"])
    expect_refusal(stranger.join(spare["token"], run=False), "it was revoked, or mistyped")
    listed = json.loads(plane.cli("host-token", "list", "-o", "json").stdout)
    expect(any(one["used"] == 3 and one["uses_max"] == 3 for one in listed), "`berth host-token list` counts the machines that came")
    logs = "".join(open(os.path.join(plane.state, "log", name), errors="replace").read() for name in os.listdir(os.path.join(plane.state, "log")))
    expect(token not in logs and token not in open(os.path.join(plane.state, "tokens.json")).read(), "no token stands in a log, nor at rest (I30)")
    return attic


def expect_refusal(outcome, text):
    code, said = outcome
    lines = [line for line in said.splitlines() if text in line]
    expect(code != 0 and len(lines) == 1, f"refused in one line: {lines[0] if lines else said}")


def work(plane, ada, hosts):
    by_name = {host.name: host for host in hosts}
    site = ada.granted("site")
    expect(site["ip"] == by_name[site["host"]].machine.address, f"a claim from the person's machine lands on {site['host']}")
    page = ada.open(site)
    expect(ada.get(page) == 200, "its page opens at the host's own address")
    socket = ada.socket(page)
    socket.ask("write note.txt kept")
    expect(ada.release(site["workspace"]) == 200 and socket.is_cut(10), "a release cuts the open WebSocket")

    again = ada.granted("site")
    expect(again["workspace"] == site["workspace"], "asked again it is the same workspace")
    drained = again["host"]
    plane.cli("hosts", "drain", drained, "--wait", "30s")
    moved = ada.granted("site")
    expect(moved["host"] != drained and moved["workspace"] == site["workspace"], f"drained from {drained}, it starts on {moved['host']}")
    page = ada.open(moved)
    expect("kept" in ada.socket(page).ask("read note.txt"), "with its files, which the hosts share")
    plane.cli("hosts", "uncordon", drained)
    return moved, page


def cut(plane, ada, hosts, held, page):
    host = next(one for one in hosts if one.name == held["host"])
    socket = ada.socket(page)
    for ways in (("INPUT", "OUTPUT"), ("INPUT",), ("OUTPUT",)):
        said = {1: {"INPUT": "from the control plane", "OUTPUT": "to the control plane"}.get(ways[0]), 2: "both ways"}[len(ways)]
        host.machine.cut_from(plane.machine, ways)
        plane.wait_host(host.name, liveness="unknown", within=30)
        expect(socket.ask("echo here") and ada.get(page) == 200, f"cut {said}: {host.name} is unknown, and who works there works on (I12)")
        other = ada.granted(f"other-{len(ways)}{ways[0]}")
        expect(other["host"] != host.name, "what is new lands on another host (I14)")
        same = ada.claim("site", wait_ms=0).json()
        expect(same.get("workspace", held["workspace"]) == held["workspace"] and same.get("host", held["host"]) == held["host"],
               "the workspace there is started nowhere else (I15)")
        begun = time.monotonic()
        host.machine.heal()
        plane.wait_host(host.name, liveness="live", within=60)
        expect(socket.ask("echo still") and ada.get(page) == 200, f"healed within {time.monotonic() - begun:.1f} s, with the same session")
        ada.release(other["workspace"])


def lose_power(plane, ada, hosts, held):
    host = next(one for one in hosts if one.name == held["host"])
    host.machine.kill()
    plane.wait_host(host.name, liveness="unknown", within=30)
    again = ada.claim("site", wait_ms=0).json()
    expect(again.get("host", held["host"]) == held["host"], "a host that lost its power keeps its lease until somebody knows (I15)")
    host.start()
    plane.wait_host(host.name, liveness="live", within=60)
    back = ada.granted("site")
    page = ada.open(back)
    expect(back["workspace"] == held["workspace"] and "kept" in ada.socket(page).ask("read note.txt"), "started by its folder alone, it is the same host, and the workspace is back")


def unreached(plane, network, folder):
    """A machine behind a wall: it serves, and nobody gets to its proxy."""
    token = plane.cli("host-token", "--pool", "attic", "-o", "name").stdout.strip()
    host = Host(plane, network.add("walled", 25), "walled", folder)
    host.machine.rule("-A", "INPUT", "-p", "tcp", "--dport", "9480", "-j", "DROP")
    host.join(token)
    wait_for("its agent says that nobody reaches it", lambda: host.said("does not reach the proxy of walled at 198.18.0.25:9480"), 30)
    told = plane.cli("doctor", check=False).stdout
    lines = [line for line in told.splitlines() if "walled" in line]
    expect(len(lines) == 1 and "Open that port" in lines[0], f"and so does `berth doctor`, in one line: {lines}")
    expect("no: the gateway does not reach" in plane.cli("hosts", "-o", "wide").stdout, "and `berth hosts`")
    host.machine.heal()
    wait_for("the wall is gone", lambda: plane.host("walled").get("reach", {}).get("ok"), 20)
    return host


def end(plane, ada, hosts, attic):
    host = hosts[0]
    plane.cli("hosts", "end", host.name, "--force", "--wait", "60s")
    expect(not os.path.exists(os.path.join(plane.state, "keys/peers", host.name)), f"{host.name} is gone, and its key is admitted no more (I23)")
    host.machine.kill()
    expect_refusal(host.join(attic, run=False), "was ended by an operator: remove its folder")
    shutil.rmtree(host.state)
    host.join(attic)
    plane.wait_host(host.name, liveness="live", pool="attic", within=60)
    say("ok: with a new key and folder it comes again, into another pool")


def front_door(plane, network, ada, folder):
    token = plane.cli("host-token", "--pool", "front", "--uses", "2", "-o", "name").stdout.strip()
    hosts = [Host(plane, network.add(f"front{number}", 60 + number), f"front-{number}", folder) for number in (1, 2)]
    for host in hosts:
        host.join(token, "--set", "hostagent.plain_port_first=0", "--set", "hostagent.public_domain=apps.test", "--set", "hostagent.public_port=8080")
        plane.wait_host(host.name, liveness="live", pool="front")
    doors = [Door(plane, network.add(f"door{number}", 40 + number), folder) for number in (1, 2)]

    def open_at(door, granted):
        with ada.machine.inside():
            return wait_for("the door knows the workspace", lambda: Browser(granted["link"], address=door.machine.address), 20)

    def get_at(door, browser):
        with ada.machine.inside():
            return http_call(browser.origin + "/", headers={"Cookie": browser.cookie}, address=door.machine.address).status

    site = ada.granted("front", pool="front")
    expect(parse_origin(site["link"])[:2] == (site["workspace"] + ".apps.test", 8080), "a link names the one door of all hosts")
    page = open_at(doors[0], site)
    expect(get_at(doors[0], page) == 200 and get_at(doors[1], page) == 200, f"opened at one door, it goes through the other too: on {site['host']}")
    with ada.machine.inside():
        expect(http_call(f"http://w-none.apps.test:8080/", address=doors[0].machine.address).status == 404, "a name that is nobody's is said so")
    socket = ada.socket(page)
    expect(socket.ask("echo through"), "a WebSocket goes through")
    old = plane.kill("allocator")
    expect(get_at(doors[0], page) == 200 and get_at(doors[1], page) == 200 and socket.ask("echo still"), "the allocator is dead, and the doors go on")
    plane.wait_back("allocator", old)

    doors[0].process.kill()
    doors[0].process.wait()
    expect(get_at(doors[1], page) == 200, "a door is killed, and the other serves the same session")
    doors[0].start()
    wait_for("the door knows the way again", lambda: get_at(doors[0], page) == 200, 20)
    say("ok: and so does its next life, which remembers nothing")
    page.address = doors[1].machine.address
    socket = ada.socket(page)
    doors[1].process.terminate()
    expect(doors[1].process.wait(10) == 0 and socket.is_cut(5), "asked to end it lets go of all within its grace")

    plane.cli("hosts", "drain", site["host"], "--wait", "30s")
    moved = ada.granted("front", pool="front")
    expect(moved["host"] != site["host"] and open_at(doors[0], moved), f"moved to {moved['host']}, the same name leads there")
    return hosts


class Foreign:
    """A machine that runs something of its own, and an agent that knows two routes."""

    def __init__(self, plane, machine, token):
        self.plane, self.machine, self.token = plane, machine, token
        site = os.path.join(os.path.dirname(plane.config), "site")
        os.mkdir(site)
        self.server = subprocess.Popen(machine.command("python3", "-m", "http.server", "8080", "--directory", site),
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("what the machine runs by itself", self.serves, 30)
        self.alive = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def serves(self):
        with self.machine.inside():
            return http_call("http://127.0.0.1:8080/").status == 200

    def _beat(self):
        while True:
            self.alive.wait()
            try:
                self.beats()
            except (OSError, http.client.HTTPException):
                pass
            threading.Event().wait(0.4)

    def post(self, path, token=None, **body):
        headers = {"Content-Type": "application/json"}
        if self.token if token is None else token:
            headers["Authorization"] = f"Bearer {self.token if token is None else token}"
        with self.machine.inside():
            return http_call(self.plane.url + path, "POST", headers, json.dumps({"instanceId": "i-0abc", **body}), 30)

    def register(self, **more):
        return self.post("/register", publicIp=self.machine.address, privateIp=self.machine.address, **more)

    def beats(self):
        return self.post("/heartbeat").status == 200


def foreign(plane, network, ada):
    token = plane.cli("host-token", "--pool", "machines", "-o", "name").stdout.strip()
    machine = Foreign(plane, network.add("foreign", 30), token)
    expect(machine.register(token="").status == 401, "a machine is registered by nobody's word")
    expect(machine.post("/heartbeat").status == 404, "and has to be registered before it beats")
    expect(machine.register().status == 200 and machine.beats(), "a foreign agent registers its machine with a host's token")
    machine.alive.set()
    plane.wait_host("i-0abc", liveness="live", pool="machines", provider="static")
    mine = ada.granted("whole", pool="machines")
    with ada.machine.inside():
        expect(http_call(mine["link"]).status == 200 and mine["link"] == f"http://{machine.machine.address}:8080/", "claimed, it is opened at its own address")
    shown = next(one for one in plane.call("GET", "/status").json()["machines"] if one["instanceId"] == "i-0abc")
    expect(shown["isUsed"] and shown["assignedProject"] == "whole" and shown["lastHeartbeat"] and shown["leaseExpiry"],
           "its user, lease and last heartbeat are shown")

    plane.restart("gateway")
    wait_for("the machine is live again", lambda: machine.beats() and plane.host("i-0abc")["liveness"] == "live", 20)
    expect(plane.host("i-0abc")["slots"][0]["workspace"] == mine["workspace"], "another gateway takes it over, with its lease")
    ada.release(mine["workspace"])
    plane.wait_until(lambda: plane.host("i-0abc")["slots"][0]["workspace"] == "", "the release is done")
    bob = Person(plane, ada.machine, "bob")
    refused = bob.claim("other", wait_ms=0, pool="machines").json()
    expect(refused.get("state") != "granted", f"used, it is given to nobody until it registers again (I27): {refused.get('detail')}")
    plane.restart("gateway")
    wait_for("the machine is live again", lambda: machine.beats() and plane.host("i-0abc")["liveness"] == "live", 20)
    expect(bob.claim("other", wait_ms=0, pool="machines").json().get("state") != "granted", "also by another gateway")
    expect(machine.register().status == 200, "it was recycled, and says so by registering")
    theirs = bob.granted("other", pool="machines")
    expect(theirs["host"] == "i-0abc", "then the next user has it")
    machine.alive.clear()
    plane.wait_host("i-0abc", liveness="unknown", within=30)
    expect(plane.host("i-0abc")["slots"][0]["workspace"] == theirs["workspace"], "silent, it is unknown, and keeps its lease")
    machine.alive.set()
    plane.wait_host("i-0abc", liveness="live", within=30)
    machine.server.kill()


def kill_each(plane, hosts, ada, folder):
    """People claim and release from their own machine while each process of the control plane, an agent and a proxy is
    killed in turn; what they saw is judged as the simulation's histories are."""
    def post_as(person):
        def post(path, body, key):
            headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
            with ada.machine.inside():
                return http_call(plane.url + path, "POST", headers, json.dumps(body), 40)
        return post
    kept = ada.granted("kept")
    page = ada.open(kept)
    people = [Traffic(post_as(Person(plane, ada.machine, user)), user, user, pool="lab") for user in ("t0", "t1")]
    rival = Person(plane, ada.machine, "r")
    people += [Traffic(post_as(rival), "r", name, pool="lab") for name in ("left", "right")]
    for one in people:
        one.start()
    for name in ("broker", "allocator", "reaper", "scaler", "gateway"):
        before = sum(one.acknowledged for one in people)
        old = plane.kill(name)
        expect(ada.get(page) == 200, f"kill -9 {name}: who works on {kept['host']} works on")
        wait_for(f"another {name}", lambda: plane.pid_of(name) != old, 30)
        wait_for(f"claims go on after {name}", lambda: sum(one.acknowledged for one in people) > before + 2, 60)
    other = next(host for host in hosts if host.name != kept["host"] and plane.host(host.name).get("pool") == "lab" and plane.host(host.name)["liveness"] == "live")
    os.kill(other.agent.pid, signal.SIGKILL)
    other.agent.wait()
    other.start()
    before = sum(one.acknowledged for one in people)
    plane.wait_host(other.name, liveness="live", within=60)
    wait_for("claims go on after an agent", lambda: sum(one.acknowledged for one in people) > before + 2, 60)
    for one in people:
        one.ending.set()
    for one in people:
        one.join(60)
    good, said = judged(people, folder)
    expect(good, f"{sum(one.acknowledged for one in people)} claims were acknowledged meanwhile, {sum(one.failures for one in people)} calls failed, and what people saw has an order: {said}")
    ada.release(kept["workspace"])


why = is_possible()
if why:
    skip(why)
folder = tempfile.mkdtemp(prefix="berth-e2e-13-")
network = Network()
plane, hosts, good = None, [], False
try:
    plane = Plane(network.add("plane", 1), folder, SETTINGS)
    say(f"the control plane is up at {plane.url}")
    hosts = [Host(plane, network.add(f"box{number}", 10 + number), f"box-{number}", folder) for number in (1, 2, 3)]
    stranger = Host(plane, network.add("stranger", 20), "box-4", folder)
    attic = enrol(plane, hosts, stranger)
    ada = Person(plane, network.add("person", 50), "ada")
    held, page = work(plane, ada, hosts)
    cut(plane, ada, hosts, held, page)
    lose_power(plane, ada, hosts, held)
    kill_each(plane, hosts, ada, folder)
    end(plane, ada, hosts, attic)
    hosts.append(unreached(plane, network, folder))
    foreign(plane, network, ada)
    hosts += front_door(plane, network, ada, folder)
    expect(judge(plane.facts()) >= 6, "no slot was ever leased twice, and epochs only grew (I1, I3)")
    good = True
finally:
    if plane and not good:
        tell(network, plane, hosts)
    network.end()
    if os.environ.get("BERTH_KEEP"):
        say(f"kept {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
