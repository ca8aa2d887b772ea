# SPDX-License-Identifier: Apache-2.0
"""15: berth behind nginx, haproxy and caddy, by the files of deploy/front: they end TLS before the gateway and before the
front door of two hosts. Pages, sign-in, events and WebSockets go through, both ways and at once; cookies are Secure; the
client's address is the right one, whatever it says of itself. Issue 16, point 3."""
import json
import os
import shutil
import subprocess
import sys
import threading

from fronts import APPS, GATEWAY, Client, FrontProxy, cookie_of, free_port, make_certificate
from stage import BIN, Stage, expect, http_call, parse_origin, say, skip, wait_for

KINDS = sys.argv[1:] or ["nginx", "haproxy", "caddy"]
for kind in KINDS:
    if not shutil.which(kind):
        skip(f"{kind} is not there: script/packages test")


class Edge:
    """The front door beside the control plane, plain: only the front proxy reaches it."""

    def __init__(self, stage):
        self.port = free_port()
        config = os.path.join(stage.folder, "edge.toml")
        with open(config, "w") as text:
            text.write(f'[edge]\nlisten_address = "127.0.0.1"\nport = {self.port}\napps_domain = "{APPS}"\nrecheck = "200ms"\n')
        self.process = subprocess.Popen([os.path.join(BIN, "berth-proxy"), "--edge", "--config", config, "--bus", os.path.join(stage.state, "bus.toml"),
                                         "--keys", os.path.join(stage.state, "keys")], stdout=open(os.path.join(stage.folder, "edge.log"), "ab"), stderr=subprocess.STDOUT)
        wait_for("the front door serves", lambda: http_call(f"http://127.0.0.1:{self.port}/_berth/health", host="door").status == 200, 20)

    def end(self):
        self.process.terminate()
        self.process.wait(20)


class Events:
    """A stream through the front proxy; its lines with what has come so far."""

    def __init__(self, client, token):
        self.end, self.response = client.begin(GATEWAY, "/v1/events", {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}, timeout=60)
        self.seen = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for line in self.response:
                self.seen.append(line.decode().rstrip())
        except (OSError, ValueError):
            return

    def wait_name(self, name, within):
        wait_for(f"{name} comes through", lambda: f"event: {name}" in self.seen, within)


def the_gateway(stage, client, port):
    page = client.ask(GATEWAY, "/sign-in")
    expect(page.status == 200 and b"<!doctype html>" in page.body.lower(), "a page of the gateway")
    link = stage.cli_json("user", "invite", "ada")["link"]
    expect(link.startswith(f"https://{GATEWAY}:{port}/"), f"a sign-in link has the public address: {link.split('#')[0]}")
    stage.secrets.append(link.split("#")[1])
    opened = client.ask(GATEWAY, "/v1/session", "POST", {"Content-Type": "application/json", "Origin": f"https://{GATEWAY}:{port}"}, json.dumps({"link": link.split("#")[1]}))
    session, told = cookie_of(opened)
    expect(opened.status in (200, 201) and session.startswith("__Host-") and "; Secure" in told and "HttpOnly" in told, f"signs in, and the cookie is Secure: {told.split(';', 1)[1]}")
    expect(client.ask(GATEWAY, "/v1/me", headers={"Cookie": session, "Sec-Fetch-Site": "same-origin"}).json()["user"] == "ada", "and is taken")

    begun = client.ask(GATEWAY, "/v1/logins", "POST", {"Content-Type": "application/json", "X-Forwarded-For": "192.0.2.66", "Forwarded": "for=192.0.2.66"},
                       json.dumps({"machine": "ada's"})).json()
    stage.secrets.append(begun["secret"])
    asked = client.ask(GATEWAY, f"/v1/logins?code={begun['code']}", headers={"Cookie": session, "Sec-Fetch-Site": "same-origin"}).json()
    expect(asked["address"] == client.address, f"who asks comes from {asked['address']}, whatever it says of itself")
    expect(begun["url"].startswith(f"https://{GATEWAY}:{port}/"), "links have the public address")


def is_known(client, name):
    answer = client.ask(name, "/_berth/health")
    if answer.status != 200:
        raise LookupError(f"{answer.status} {answer.body!r}")
    return True


def the_workspaces(stage, client):
    events = Events(client, stage.token)
    expect(events.response.status == 200, "a stream of events begins")
    pages = []
    for user in ("ada", "bob"):
        granted = stage.claim(user)
        name, _, path = parse_origin(granted["link"])
        expect(name == f"{granted['workspace']}.{APPS}", f"{user}'s workspace is {name}")
        wait_for("the front door knows the way", lambda: is_known(client, name), 20)
        opened = client.ask(name, path)
        expect(opened.status == 302, f"the link opens it ({opened.status} {opened.body[:200] if opened.status != 302 else ''})")
        cookie, told = cookie_of(opened)
        expect(cookie.startswith("__Host-berth") and "; Secure" in told, "and its cookie is Secure")
        pages.append((granted, name, cookie))
    events.wait_name("workspace.started", 5)
    expect(pages[0][0]["host"] != pages[1][0]["host"], "they are on two hosts")
    kept = client.connection(pages[0][1])
    for _, name, cookie in pages * 2:
        expect(client.ask(name, "/", headers={"Cookie": cookie}, connection=kept).status == 200, f"one connection of a browser reaches {name}")
    kept.close()

    granted, name, cookie = pages[0]
    sent = os.urandom(3_000_000)
    echoed = client.ask(name, "/echo", "POST", {"Cookie": cookie, "Origin": f"https://{name}:{client.port}", "Content-Type": "application/octet-stream"}, sent)
    expect(echoed.status == 200 and echoed.body == sent, "3 MB go there and back")
    cut, ticks = client.begin(name, "/sse?count=600", {"Cookie": cookie})
    ticks.readline()
    expect(ticks.status == 200, "a stream of the workspace comes as it is made: its first line of a minute")
    cut()
    live = client.socket(name, cookie)
    expect(live.status == 101 and live.ask("echo one") == "echo one" and live.ask("echo two") == "echo two", "a WebSocket goes both ways")
    expect(client.socket(name, "").status in (401, 403), "without a session there is none")
    stage.cli("release", granted["workspace"])
    expect(live.is_cut(10), "and is cut when the workspace is released")
    events.wait_name("workspace.stopping", 10)
    events.end()
    stage.cli("release", pages[1][0]["workspace"])
    for one, *_ in pages:
        stage.wait_state(one["workspace"], "stopped")


def nobody(client):
    try:
        answer = client.ask(GATEWAY, "/health", host="127.0.0.1")
    except OSError:
        answer = None
    expect(answer is None or answer.status == 421, f"a name that is nobody's is answered by nobody ({answer and answer.status})")


port = free_port()
with Stage("--hosts-max", "2", "--slots", "1", "--buffer", "1", "--set", f"gateway.public_url=https://{GATEWAY}:{port}", "--set", 'front.trusted_proxies=["127.0.0.1"]',
           "--set", "hostagent.scheme=https", "--set", f"hostagent.public_domain={APPS}", "--set", f"hostagent.public_port={port}") as stage:
    certificate = make_certificate(stage.folder)
    edge = Edge(stage)
    try:
        for kind in KINDS:
            front = FrontProxy(kind, stage.folder, port, parse_origin(stage.url)[1], edge.port, certificate)
            try:
                say(f"== behind {kind}")
                client = Client(port, certificate, "127.0.0.7")
                the_gateway(stage, client, port)
                the_workspaces(stage, client)
                nobody(client)
            except AssertionError:
                say(f"{kind} said: {open(front.log, errors='replace').read()[-2000:]}")
                raise
            finally:
                front.end()
    finally:
        edge.end()
