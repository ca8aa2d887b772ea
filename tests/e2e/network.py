# SPDX-License-Identifier: Apache-2.0
"""Machines as network namespaces: each has an address of its own on one wire, and nothing else. What runs
in one sees no other's loopback. Needs root; addresses are of 198.18.0.0/24, which is for tests (RFC 2544).
Nothing of the machine's own network is touched."""
import contextlib
import ctypes
import os
import signal
import subprocess

CLONE_NEWNET = 0x40000000
WIRE = "198.18.0"


def run(*words, check=True):
    done = subprocess.run(words, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done


def is_possible():
    """Root that may make namespaces, links and rules; else why not."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    name = f"bt{os.getpid()}-try"
    made = run("ip", "netns", "add", name, check=False)
    if made.returncode != 0:
        return f"no network namespaces here: {made.stderr.strip()}"
    try:
        bridge = run("ip", "-n", name, "link", "add", "wire", "type", "bridge", check=False)
        rules = run("ip", "netns", "exec", name, "iptables", "-L", check=False)
        return bridge.stderr.strip() or rules.stderr.strip() if bridge.returncode or rules.returncode else ""
    finally:
        run("ip", "netns", "del", name, check=False)


class Network:
    """One wire. Ends every process of its machines at its own end."""

    def __init__(self):
        self.tag = f"bt{os.getpid()}"
        self.machines = {}
        self.wire = f"{self.tag}-wire"
        run("ip", "netns", "add", self.wire)
        run("ip", "-n", self.wire, "link", "add", "wire", "type", "bridge")
        run("ip", "-n", self.wire, "link", "set", "wire", "up")

    def add(self, name, last):
        machine = Machine(self, name, f"{WIRE}.{last}")
        self.machines[name] = machine
        return machine

    def end(self):
        for machine in self.machines.values():
            machine.end()
        run("ip", "netns", "del", self.wire, check=False)


class Machine:
    def __init__(self, network, name, address):
        self.name, self.address = name, address
        self.space = f"{network.tag}-{name}"
        port = f"p{len(network.machines)}"
        run("ip", "netns", "add", self.space)
        run("ip", "-n", network.wire, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        run("ip", "-n", network.wire, "link", "set", port, "master", "wire", "up")
        run("ip", "-n", self.space, "addr", "add", f"{address}/24", "dev", "eth0")
        run("ip", "-n", self.space, "link", "set", "lo", "up")
        run("ip", "-n", self.space, "link", "set", "eth0", "up")

    def command(self, *words):
        return ["ip", "netns", "exec", self.space, *words]

    @contextlib.contextmanager
    def inside(self):
        """This thread's sockets are this machine's."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(path):
            with open(path) as space:
                if libc.setns(space.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {path}")
        with open("/proc/thread-self/ns/net") as before:
            enter(f"/run/netns/{self.space}")
            try:
                yield self
            finally:
                if libc.setns(before.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns back")

    def rule(self, *words):
        run(*self.command("iptables", *words))

    def cut_from(self, other, ways=("INPUT", "OUTPUT")):
        """Packets from that machine (INPUT), to it (OUTPUT), or both, are dropped from now on."""
        for way in ways:
            self.rule("-A", way, "-s" if way == "INPUT" else "-d", other.address, "-j", "DROP")

    def heal(self):
        self.rule("-F")

    def processes(self):
        return [int(pid) for pid in run("ip", "netns", "pids", self.space, check=False).stdout.split()]

    def kill(self):
        """The machine loses its power."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def end(self):
        self.kill()
        run("ip", "netns", "del", self.space, check=False)
