# SPDX-License-Identifier: Apache-2.0
"""Machines that join a control plane of this one by a token, as others would from elsewhere."""
import os
import signal
import socket
import subprocess

from stage import BIN


def broker_settings():
    """Where hosts that were not started by `up` reach the broker."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return (f'[broker]\nrequests_hosts = "tcp://127.0.0.1:{one.getsockname()[1]}"\n'
                f'events_out = "tcp://127.0.0.1:{other.getsockname()[1]}"\n')


class Machine:
    """It enrols itself and runs its agent, until it loses its power."""

    def __init__(self, stage, token, name, *flags, homes=None, **environment):
        self.name, self.state = name, os.path.join(stage.folder, name)
        self.log = self.state + ".log"
        words = [os.path.join(BIN, "berth-hostagent"), "join", "--url", stage.url, "--token", token, "--name", name, "--state", self.state,
                 "--homes", homes or os.path.join(stage.folder, "homes"), "--engine", "process", "--public-ip", "127.0.0.1", "--proxy-port", "0", *flags]
        with open(self.log, "ab") as output:
            self.agent = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
                                          env={**os.environ, **environment})

    def said(self):
        return open(self.log, errors="replace").read()

    def _programs(self):
        found = [self.agent.pid]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if self.state.encode() in open(f"/proc/{pid}/cmdline", "rb").read() and int(pid) != os.getpid():
                    found.append(int(pid))
            except OSError:
                continue
        return found

    def lose_power(self):
        """kill -9 of all that runs on it, at once."""
        for pid in self._programs():
            try:
                os.killpg(os.getpgid(pid), signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        self.agent.wait()
