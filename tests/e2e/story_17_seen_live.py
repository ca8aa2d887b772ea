# SPDX-License-Identifier: Apache-2.0
"""17: what an operator sees: `berth top` in one picture, on a terminal again and again, and in numbers; a recording of events
that replays as it came, and is refused once it is damaged; each process tells its service manager that it serves, lives and
ends. Issue 16, points 2, 3 and 5."""
import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading

from stage import BIN, SLOWER, Stage, expect, wait_for


class ServiceManager:
    """Where processes tell how they are, as systemd does it."""

    def __init__(self):
        self.name = "@berth-story-17-" + next(tempfile._get_candidate_names())
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.name[1:])
        self.heard = []
        threading.Thread(target=self._listen, daemon=True).start()      # at once: the kernel keeps ten and drops the rest

    def _listen(self):
        while True:
            self.heard.append(self.socket.recv(4096).decode())


def on_a_terminal(stage, *words):
    """Output of `berth` on a terminal of 80 columns and 24 rows, until it was drawn twice; and how it ended on Ctrl-C."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen([os.path.join(BIN, "berth"), *words], stdin=theirs, stdout=theirs, stderr=theirs, env=dict(stage.env, TERM="xterm"), start_new_session=True)
    os.close(theirs)
    seen = b""

    def drawn():
        nonlocal seen
        while select.select([ours], [], [], 0)[0]:
            seen += os.read(ours, 65536)
        return seen.count(b"\x1b[H\x1b[2J") >= 3
    wait_for("it is drawn again", drawn, 20)
    process.send_signal(signal.SIGINT)
    process.wait(10 * SLOWER)
    os.close(ours)
    return seen.decode(errors="replace").split("\x1b[H\x1b[2J")[-2], process.returncode


class Told(Stage):
    def __init__(self, manager, *flags):
        super().__init__(*flags)
        self.env.update(NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="1000000")


manager = ServiceManager()
with Told(manager, "--hosts-max", "1", "--slots", "1", "--buffer", "1") as stage:
    wait_for("all say that they serve", lambda: manager.heard.count("READY=1") >= 6, 30)
    wait_for("and that their loops turn", lambda: manager.heard.count("WATCHDOG=1") >= 12, 30)

    file = os.path.join(stage.folder, "recording")
    tap = stage.tap("--record", file)
    wait_for("the tap is on", lambda: os.path.exists(file) and tap.lines, 20)
    granted = stage.claim("ada")
    wait_for("the grant is recorded", lambda: "claim.granted" in open(file).read(), 20)
    expect(os.stat(file).st_mode & 0o777 == 0o600, "a recording is its owner's")
    waiting = subprocess.Popen([os.path.join(BIN, "berth"), "claim", "other", "--user", "bob", "--wait", "60s"], env=stage.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("bob waits", lambda: any(claim["state"] == "waiting" for claim in stage.call("GET", "/v1/claims").json()["claims"]), 20)

    frame = stage.cli("top").stdout
    expect(all(len(line) <= 80 for line in frame.splitlines()), "without a terminal: one picture of 80 columns")
    expect(all(word in frame for word in ("parts ", "1 waiting", "default", "bob ", "POOL", "HOST ")), f"with parts, pools, hosts and who waits:\n{frame}")
    numbers = stage.cli_json("top")
    expect(numbers["pools"][0]["missing"] == 2 and numbers["waiting"][0]["user"] == "bob" and numbers["hosts"][0]["leased"] == 1, "and in numbers")
    shown, code = on_a_terminal(stage, "top", "--every", "200ms")
    expect(code == 130 and "bob" in shown and len(shown.splitlines()) <= 24, "on a terminal it is drawn again and again, and ends by Ctrl-C")
    expect("example" in stage.cli("top", "--help").stdout.lower(), "`berth top --help` has an example")

    waiting.send_signal(signal.SIGINT)
    waiting.wait(20)
    tap.process.send_signal(signal.SIGINT)
    tap.process.wait(20)
    recorded = [json.loads(line) for line in open(file)][1:]
    replayed = [json.loads(line) for line in stage.cli("replay", file, "-o", "json").stdout.splitlines()]
    expect(replayed == [line["event"] for line in recorded] and replayed == tap.json(), f"a replay has what the tap had: {len(replayed)} events")
    lines = stage.cli("replay", file, "claim.", "--speed", "100").stdout.splitlines()
    expect(lines and all("claim." in line for line in lines), "filtered, and a hundred times as fast")
    again = stage.cli("tap", "--record", file, "--count", "1", check=False)
    expect(again.returncode != 0 and "is there already" in again.stderr, "a recording is not written over")
    text = open(file).read()
    with open(file + ".cut", "w") as to:
        to.write(text[:-5])
    refused = stage.cli("replay", file + ".cut", check=False)
    expect(refused.returncode != 0 and refused.stdout == "" and f"line {len(recorded) + 1}: is cut off" in refused.stderr, f"a damaged one is refused with its line: {refused.stderr.strip()}")
wait_for("all said that they end", lambda: manager.heard.count("STOPPING=1") >= 6, 5)
