# SPDX-License-Identifier: Apache-2.0
"""Processes of a bench: started on loopback and temporary folders, measured by their pid, ended by it."""
import atexit
import contextlib
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")
_running = []
_folders = []


def raise_limits():
    """10,000 hosts are 20,000 descriptors; root may raise the hard limit too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (400_000, 100_000, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            return wanted
        except (ValueError, OSError):
            continue
    return soft


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def folder(owner=None):
    path = pathlib.Path(tempfile.mkdtemp(prefix="berth-bench-"))
    _folders.append(path)
    if owner:
        shutil.chown(path, owner)
    return path


class Process:
    """One program. Its output goes to a file, whose end is shown when something fails."""

    def __init__(self, name, argv, *, env=None, cwd=None, user=None, log=None, **more):
        self.name = name
        self.log = pathlib.Path(log or folder() / f"{name}.log")
        self.out = open(self.log, "ab")
        # A group of its own: Ctrl-C reaches the harness alone, which ends all in their order.
        self.process = subprocess.Popen([str(word) for word in argv], stderr=self.out, cwd=cwd, user=user, process_group=0,
                                        env={**os.environ, **(env or {})}, **{"stdout": self.out, "stdin": subprocess.DEVNULL, **more})
        self.pid = self.process.pid
        _running.append(self)

    def until(self, is_so, within=60, what="it is ready"):
        deadline = time.monotonic() + within
        while not is_so():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: not within {within} s: {what}; its last words:\n{self.said()}")
            time.sleep(0.01)
        return self

    def until_listening(self, port, within=60):
        def listens():
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", port)) == 0
        return self.until(listens, within, f"port {port} answers")

    def said(self):
        return self.log.read_text(errors="replace")[-2000:]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.forget()

    def end(self, within=20):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(within)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.forget()

    def forget(self):
        self.out.close()
        if self in _running:
            _running.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


@atexit.register
def end_all():
    """Whatever still runs, in the reverse order of its start; then the folders."""
    for process in list(reversed(_running)):
        process.end(within=5)
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


def run(*argv, **more):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout


# ---- what the kernel counts

def children_of(pid):
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += children_of(int(child))
    except OSError:
        pass
    return found


def cpu_seconds(pid, with_children=False):
    """Of all its threads, in user and kernel; of children too, and of those that have ended."""
    total = 0
    for one in children_of(pid) if with_children else [pid]:
        for path in pathlib.Path(f"/proc/{one}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(path.read_text().split()[0]) / 1e9
    if with_children:
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[13]) + int(fields[14])) / TICK
    return total


def memory_mib(pid, with_children=False):
    total = 0
    for one in children_of(pid) if with_children else [pid]:
        try:
            for line in pathlib.Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) / 1024
        except OSError:
            pass
    return total


class Machine:
    """How busy the machine was in a while, and how much of that was not ours."""

    def __init__(self):
        self.at = time.monotonic()
        self.busy, self.stolen = self.read()

    @staticmethod
    def read():
        fields = [int(word) / TICK for word in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        return fields[0] + fields[1] + fields[2] + fields[5] + fields[6], fields[7]

    def others(self, ours):
        """Cores that others used on average, with what the hypervisor took."""
        busy, stolen = self.read()
        seconds = max(time.monotonic() - self.at, 1e-6)
        return max(0.0, (busy - self.busy - ours) + (stolen - self.stolen)) / seconds


def facts_of_machine():
    words = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in words.splitlines() if line.startswith("model name")), "unknown")
    gib = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    return {"cpu": model, "cores": os.cpu_count(), "memory_gib": round(gib, 1), "kernel": os.uname().release}
