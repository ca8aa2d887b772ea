# SPDX-License-Identifier: Apache-2.0
"""A stage for the stories: `berth up` on a temporary state folder, and what a person does with it.

Everything is real: the programs of BERTH_BIN, the processes that `up` starts, HTTP and WebSocket on
loopback, Chromium through browser.mjs. Nothing sleeps for a guess: wait_for() looks until it is so.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("BERTH_BIN", os.path.join(HERE, "../../build/release/bin"))
SLOWER = float(os.environ.get("BERTH_SLOWER", "1"))  # sanitizers


def say(text):
    print(f"-- {text}", flush=True)


def wait_for(what, is_so, within=30):
    """The first true value that is_so() gives; fails naming `what`."""
    end = time.monotonic() + within * SLOWER
    last = None
    while True:
        try:
            value = is_so()
            if value:
                return value
            last = value
        except (OSError, LookupError, ValueError, http.client.HTTPException) as error:
            last = error
        if time.monotonic() >= end:
            raise AssertionError(f"not within {within} s: {what}; last seen: {last!r}")
        threading.Event().wait(0.05)


def expect(truth, what):
    if not truth:
        raise AssertionError(what)
    say(f"ok: {what}")


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(77)


def parse_origin(url):
    parts = urllib.parse.urlsplit(url)
    return parts.hostname, parts.port, parts.path + ("?" + parts.query if parts.query else "")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


def http_call(url, method="GET", headers=None, body=None, timeout=20, host=None, address=None):
    """One request. `*.localhost` names are this machine; the Host header stays the name."""
    name, port, path = parse_origin(url)
    connection = http.client.HTTPConnection(address or ("127.0.0.1" if name.endswith("localhost") else name), port, timeout=timeout)
    try:
        sent = {"Host": host or f"{name}:{port}"}
        sent.update(headers or {})
        connection.request(method, path, body=body, headers=sent)
        return Answer(connection.getresponse())
    finally:
        connection.close()


class Browser:
    """A person's session in one workspace: the link once, then its cookie. No Chromium."""

    def __init__(self, link, address="127.0.0.1"):
        self.address = address
        self.name, self.port, _ = parse_origin(link)
        self.origin = f"http://{self.name}:{self.port}"
        opened = http_call(link, address=address)
        assert opened.status == 302, f"the link gave {opened.status}: {opened.body[:300]!r}"
        self.cookie = opened.headers["Set-Cookie"].split(";")[0]
        self.landing = opened.headers["Location"]

    def get(self, path="/", **more):
        headers = {"Cookie": self.cookie}
        headers.update(more.pop("headers", {}))
        return http_call(self.origin + path, headers=headers, address=self.address, **more)

    def socket(self, path="/ws", origin=None, cookie=None):
        return WebSocket(self.address, self.port, f"{self.name}:{self.port}", path,
                         self.origin if origin is None else origin, self.cookie if cookie is None else cookie)


class WebSocket:
    def __init__(self, address, port, host, path, origin, cookie, connected=None):
        self.socket = connected or socket.create_connection((address, port), timeout=15)
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Version: 13"]
        if origin:
            lines.append(f"Origin: {origin}")
        if cookie:
            lines.append(f"Cookie: {cookie}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.socket.recv(4096)
            if not more:
                break
            head += more
        self.head, _, self.buffer = head.partition(b"\r\n\r\n")
        self.status = int(self.head.split(b" ")[1]) if head else 0

    def send(self, text):
        data = text.encode()
        assert len(data) < 126
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self.socket.sendall(bytes([0x81, 0x80 | len(data)]) + mask + masked)

    def _take(self, count):
        while len(self.buffer) < count:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the WebSocket was closed")
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def receive(self):
        """The next text; raises ConnectionError when it ended."""
        while True:
            first, second = self._take(2)
            length = second & 0x7F
            if length == 126:
                length = int.from_bytes(self._take(2), "big")
            elif length == 127:
                length = int.from_bytes(self._take(8), "big")
            data = self._take(length)
            if first & 0x0F == 8:
                raise ConnectionError("the WebSocket was closed by its server")
            if first & 0x0F in (1, 2):
                return data.decode()

    def ask(self, text):
        self.send(text)
        return self.receive()

    def is_cut(self, within):
        """Does it end within that time, though we say nothing?"""
        end = time.monotonic() + within
        while time.monotonic() < end:
            self.socket.settimeout(max(0.05, end - time.monotonic()))
            try:
                self.receive()
            except (ConnectionError, ConnectionResetError):
                return True
            except (TimeoutError, socket.timeout):
                return False
        return False


class Lines:
    """A running command whose lines are read beside."""

    def __init__(self, arguments, env):
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        self.lines = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def json(self):
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Stage:
    def __init__(self, *flags, engine="process", state=None):
        self.folder = state or tempfile.mkdtemp(prefix="berth-e2e-")
        self.state = os.path.join(self.folder, "state") if not state else state
        self.flags = list(flags)
        self.engine = engine
        self.up_process = None
        self.taps = []
        self.secrets = []
        self.env = dict(os.environ, BERTH_STATE=self.state, USER="ada", BERTH_CONFIG="", XDG_CONFIG_HOME=self.folder)
        self.env.pop("BERTH_CONFIG")
        self.env.pop("DOCKER_HOST", None)
        if engine == "docker" and "BERTH_ENGINE_DIR" in os.environ:
            self.env["DOCKER_HOST"] = f"unix://{os.environ['BERTH_ENGINE_DIR']}/docker.sock"

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, kind, error, trace):
        good = False
        try:
            for tap in self.taps:
                tap.stop()
            self.down(check=kind is None)
            good = kind is None
        finally:
            if not good:
                self.show_logs()
            if os.environ.get("BERTH_KEEP"):
                say(f"kept {self.folder}")
            else:
                shutil.rmtree(self.folder, ignore_errors=True)

    # ---- the system

    def up(self):
        self.log = open(os.path.join(self.folder, "up.log"), "ab")
        command = [os.path.join(BIN, "berth"), "--state", self.state, "up", "--engine", self.engine, "--port", "0", *self.flags]
        begun = time.monotonic()
        self.up_process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, env=self.env, start_new_session=True)

        def ready():
            assert self.up_process.poll() is None, "berth up ended: " + self.up_log()
            return b"berth is ready" in open(self.log.name, "rb").read()[self.from_byte:]
        self.from_byte = getattr(self, "from_byte", 0)
        wait_for("berth up says that it is ready", ready, 120)
        self.from_byte = os.path.getsize(self.log.name)
        self.url = open(os.path.join(self.state, "gateway.url")).read().strip()
        self.token = open(os.path.join(self.state, "token")).read().strip()
        self.secrets.append(self.token)
        say(f"berth is up in {time.monotonic() - begun:.2f} s at {self.url}")
        return time.monotonic() - begun

    def up_log(self):
        return open(self.log.name, errors="replace").read()[-3000:]

    def down(self, check=True):
        if not self.up_process or self.up_process.poll() is not None:
            return
        self.up_process.send_signal(signal.SIGTERM)
        try:
            self.up_process.wait(40 * SLOWER)
        except subprocess.TimeoutExpired:
            os.killpg(self.up_process.pid, signal.SIGKILL)
            self.up_process.wait()
            if check:
                raise AssertionError("berth up did not end within 40 s of SIGTERM")
        if check:
            left = self.processes_of_state()
            expect(not left, f"nothing that it started is left ({left})")
            self.check_engine()
            self.check_logs()

    def check_engine(self):
        """What bears its label is gone from the container engine: containers, and the network that outlives even dockerd."""
        if self.engine != "docker":
            return
        with open(os.path.join(self.state, "berth.toml"), "rb") as text:
            label = "label=berth.cluster=" + tomllib.load(text)["docker"]["cluster"]
        for what in (["ps", "-a"], ["network", "ls"]):
            listed = subprocess.run(["docker", *what, "-q", "--filter", label], capture_output=True, text=True, env=self.env)
            expect(listed.returncode == 0 and listed.stdout == "", f"docker {' '.join(what)} names nothing of it ({listed.stdout.strip()})")

    def check_logs(self):
        """No token stands in a log, nor in the ledger (I30); and no sanitizer had anything to say."""
        paths = [self.log.name, os.path.join(self.state, "ledger.sqlite"), os.path.join(self.state, "ledger.sqlite-wal")]
        for part in ("log", "hosts"):
            for folder, _, names in os.walk(os.path.join(self.state, part)):
                paths += [os.path.join(folder, name) for name in names if part == "log" or name.endswith(".log")]
        for path in filter(os.path.exists, paths):
            text = open(path, "rb").read()
            for words in (b"Sanitizer: ", b"runtime error: "):
                at = text.find(words)
                assert at < 0, f"{path}: {text[max(0, at - 200):at + 2000].decode(errors='replace')}"
            for secret in self.secrets:
                assert secret.encode() not in text, f"a token stands in {path} (I30)"

    def processes_of_state(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                line = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if self.state in line and "berth" in line.split(" ")[0]:
                found.append((int(pid), line[:120]))
        return found

    def pid_of(self, name):
        """Of a service ("broker"), or of a host's "agent" or "proxy"."""
        if name in ("agent", "proxy"):
            for host in os.listdir(os.path.join(self.state, "hosts")):
                path = os.path.join(self.state, "hosts", host, f"{name}.pid")
                if os.path.exists(path):
                    return int(open(path).read().split()[0])
            raise KeyError(name)
        for pid, line in self.processes_of_state():
            if line.split(" ")[0].endswith(f"berth-{name}"):
                return pid
        raise KeyError(name)

    def kill(self, name):
        pid = self.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def show_logs(self):
        print("==== up.log\n" + self.up_log())
        folder = os.path.join(self.state, "log")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        for name in names:
            text = open(os.path.join(folder, name), errors="replace").read()
            print(f"==== {name}\n{text[-4000:]}")
        print("", flush=True)

    # ---- a person

    def cli(self, *arguments, check=True, within=120):
        done = subprocess.run([os.path.join(BIN, "berth"), *arguments], capture_output=True, text=True, env=self.env,
                              timeout=within * SLOWER)
        if check and done.returncode != 0:
            raise AssertionError(f"berth {' '.join(arguments)} gave {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def cli_json(self, *arguments, **more):
        return json.loads(self.cli(*arguments, "-o", "json", **more).stdout)

    def call(self, method, path, body=None, token=None, headers=None, timeout=130):
        sent = {"Authorization": f"Bearer {token or self.token}"} if token != "" else {}
        if body is not None:
            sent["Content-Type"] = "application/json"
            body = json.dumps(body)
        sent.update(headers or {})
        return http_call(self.url + path, method, sent, body, timeout)

    def claim(self, user, project="site", key=None, wait_ms=90000, **more):
        body = {"user": user, "project": project, "wait_ms": wait_ms, **more}
        key = key or f"{user}-{project}-{time.monotonic_ns()}"
        answer = self.call("POST", "/v1/claims", body, headers={"Idempotency-Key": key})
        granted = answer.json()
        assert answer.status in (200, 201) and granted.get("state") == "granted", f"{answer.status}: {granted}"
        self.secrets.append(granted["token"])
        return granted

    def workspace(self, identity):
        answer = self.call("GET", f"/v1/workspaces/{identity}")
        assert answer.status == 200, f"{answer.status}: {answer.body!r}"
        return answer.json()

    def hosts(self):
        return self.call("GET", "/v1/hosts").json()["hosts"]

    def facts(self, subject):
        return self.call("GET", f"/v1/facts?subject={urllib.parse.quote(subject)}").json()["facts"]

    def tap(self, *arguments):
        tap = Lines([os.path.join(BIN, "berth"), "tap", *arguments, "-o", "json"], self.env)
        self.taps.append(tap)
        return tap

    def wait_state(self, identity, state, within=60):
        wait_for(f"workspace {identity} is {state}", lambda: self.workspace(identity)["state"] == state, within)

    def home(self, identity):
        return os.path.join(self.state, "homes", identity)

    def ledger(self):
        """Every fact, read from the ledger itself after the allocator ended."""
        done = subprocess.run([os.path.join(BIN, "berth-allocator"), "--state", self.state, "export"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()[1:]]


def chromium(*arguments, within=240):
    done = subprocess.run(["node", os.path.join(HERE, "browser.mjs"), *arguments], capture_output=True, text=True, timeout=within)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, f"Chromium: {lines} {done.stderr[-2000:]}"
    return lines
