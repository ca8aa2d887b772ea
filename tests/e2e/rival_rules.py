# SPDX-License-Identifier: Apache-2.0
"""Other rules of idleness, on the same plays: what each would have done to the workspaces that situations.py
plays. While a Watcher watches, nobody stops anything; each 2 s it notes what such rules go by, and judge()
plays the rules on that.

  any connection      in use while a browser is connected to the editor (JupyterHub, Gitpod's heartbeat of old)
  editor touched      only what VS Code calls an interaction (presence of ours, without jobs)
  editor's heartbeat  code-server's own /healthz: alive, or its last heartbeat
  traffic or CPU      a connection that carries bytes, or CPU over 2 % of a core"""
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import threading
import time

STEP_S = 2
CPU_FLOOR = 0.02


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=2)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(2)
        self.sock.connect(self.path)


class Watcher:
    """Notes of each actor, by its name: (time, connections, touched at, heartbeat at, CPU seconds)."""

    def __init__(self, stage):
        self.stage, self.notes, self.containers = stage, {}, {}
        self.ended = threading.Event()
        self.actors = []
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _inside(self, actor):
        """(pid of its first process, its slot's folder)."""
        if actor.name not in self.containers:
            name = self.stage.workspace(actor.identity)["container"]
            pid = subprocess.run(["docker", "inspect", "-f", "{{.State.Pid}}", name], capture_output=True, text=True, env=self.stage.env).stdout.strip()
            host = self.stage.workspace(actor.identity)["host"]
            self.containers[actor.name] = int(pid), os.path.join(self.stage.state, "hosts", host, "slots", name)
        return self.containers[actor.name]

    def _look(self, actor):
        now, wall = time.monotonic(), time.time()
        pid, folder = self._inside(actor)
        processes = [process for process in os.listdir("/proc") if process.isdigit() and self._same_namespace(pid, process)]
        connections = len(self._editor_sockets() & self._sockets_of(processes))
        touched = 0.0
        for note in os.listdir(os.path.join(folder, "presence")):
            if not note.endswith(".note"):
                continue
            text = open(os.path.join(folder, "presence", note)).read()
            touched = max([touched] + [int(at) / 1000 for at in re.findall(r"^touched (\d+)", text, re.M)])
            if re.search(r"^active 1$", text, re.M):
                touched = wall
        editor = UnixConnection(os.path.join(folder, "run/editor.sock"))
        editor.request("GET", "/healthz")
        health = json.loads(editor.getresponse().read())
        editor.close()
        beat = wall if health["status"] == "alive" else health["lastHeartbeat"] / 1000
        cpu = 0
        for process in processes:
            fields = open(f"/proc/{process}/stat").read().rsplit(")", 1)[1].split()
            cpu += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        return now, connections, now - (wall - touched), now - (wall - beat), cpu

    @staticmethod
    def _editor_sockets():
        """What is connected to an editor of any container. An accepted socket stands in the network namespace
        of who connected, the proxy's, which is ours; its name is the same in every container."""
        with open("/proc/self/net/unix") as table:
            return {line.split()[6] for line in table if line.rstrip().endswith("/run/editor.sock") and line.split()[5] == "03"}

    @staticmethod
    def _sockets_of(processes):
        found = set()
        for process in processes:
            with contextlib.suppress(OSError):
                for fd in os.listdir(f"/proc/{process}/fd"):
                    with contextlib.suppress(OSError):
                        found.update(re.findall(r"^socket:\[(\d+)\]$", os.readlink(f"/proc/{process}/fd/{fd}")))
        return found

    @staticmethod
    def _same_namespace(one, other):
        try:
            return os.readlink(f"/proc/{one}/ns/pid") == os.readlink(f"/proc/{other}/ns/pid")
        except OSError:
            return False

    def _watch(self):
        while not self.ended.wait(STEP_S):
            for actor in list(self.actors):
                try:
                    self.notes.setdefault(actor.name, []).append(self._look(actor))
                except (OSError, ValueError, KeyError, http.client.HTTPException):
                    continue      # it ended in this moment, or is not there yet

    def end(self):
        self.ended.set()
        self.thread.join(30)


def last_use(rule, notes):
    """(time, last use by that rule) of each note."""
    use, before = notes[0][0], notes[0]
    for note in notes:
        now, connections, touched, beat, cpu = note
        busy = note is not before and (cpu - before[4]) / max(STEP_S, now - before[0]) > CPU_FLOOR
        in_use = {"any connection": connections > 0, "editor touched": False, "editor's heartbeat": False,
                  "traffic or CPU": connections > 0 or busy}[rule]
        use = max(use, now if in_use else {"editor touched": touched, "editor's heartbeat": beat}.get(rule, use))
        before = note
        yield now, use


def judge(rule, actor, notes, window_s, late_s):
    """What the rule would have done: 'right', 'STOPPED IN USE' or 'ALIVE WHEN OVER'."""
    if not notes:
        return "could not be watched"
    stopped = next((now for now, use in last_use(rule, notes) if now - use >= window_s), None)
    if stopped is not None:
        return "STOPPED IN USE" if any(at > stopped - window_s for at in actor.uses) else "right"
    over_for = notes[-1][0] - actor.uses[-1]
    return "ALIVE WHEN OVER" if actor.over and over_for > window_s + late_s else "right"


RULES = ["any connection", "editor touched", "editor's heartbeat", "traffic or CPU"]
