# SPDX-License-Identifier: Apache-2.0
"""`berth up` as a test drives it: start, wait for a line, end, see what is left. Waits for
conditions with a deadline, never for a time."""
import os
import signal
import subprocess
import threading
import time


def wait_for(condition, within, what):
    """The first true value of condition(); fails with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(0.01)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def processes_with(text):
    """Pids of the running processes whose command line holds `text`, but our own."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if any(text in word for word in words) and alive(int(name)):
            found.append(int(name))
    return found


class Up:
    """One `berth up` in a group of its own; its lines are collected as they come."""

    def __init__(self, berth, state, *flags, env=None):
        self.state = state
        self.begun = time.monotonic()
        self.lines = []
        self.process = subprocess.Popen(
            [berth, "--state", state, "up", *flags], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, env={**os.environ, **(env or {})})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def text(self):
        return "\n".join(self.lines)

    def saw(self, text, within=20):
        def look():
            if any(text in line for line in list(self.lines)):
                return True
            if self.process.poll() is not None and not self.reader.is_alive():
                raise AssertionError(f"up ended ({self.process.returncode}) without '{text}':\n{self.text()}")
            return False
        try:
            wait_for(look, within, f"'{text}'")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()}") from None
        return self

    def ready(self, within=30):
        self.saw("berth is ready", within)
        self.took = time.monotonic() - self.begun
        return self

    def count(self, text):
        return sum(text in line for line in list(self.lines))

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self

    def ended(self, within=15):
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"up did not end within {within} s:\n{self.text()}") from None
        self.reader.join(5)
        return code

    def pid(self, name):
        with open(f"{self.state}/run/{name}.pid") as file:
            return int(file.read())

    def clean(self):
        """Whatever a failed test left behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(5)
        self.process.stdout.close()
        for pid in processes_with(self.state):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
