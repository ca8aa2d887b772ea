# SPDX-License-Identifier: Apache-2.0
"""What `berth up` owes its processes and its user, with stand-ins for the processes: order, restarts,
endings, leftovers, clear errors. Arguments: the berth binary, the stand-in binary."""
import os
import pty
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from machine import Up, alive, processes_with, wait_for  # noqa: E402

BERTH, STAND_IN = sys.argv.pop(1), sys.argv.pop(1)
SERVICES = ["broker", "allocator", "gateway", "reaper", "scaler"]


class UpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # berth finds the other programs beside its own file, so a link of it among stand-ins is enough.
        cls.programs = tempfile.mkdtemp(prefix="berth-programs-")
        try:
            os.link(BERTH, cls.programs + "/berth")
        except OSError:
            shutil.copy2(BERTH, cls.programs + "/berth")
        for name in SERVICES + ["hostagent"]:
            shutil.copy2(STAND_IN, f"{cls.programs}/berth-{name}")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.programs)

    def setUp(self):
        self.state = tempfile.mkdtemp(prefix="berth-up-")
        self.ups = []

    def tearDown(self):
        for up in self.ups:
            up.clean()
        shutil.rmtree(self.state, ignore_errors=True)

    def up(self, *flags, **behaviours):
        env = {f"STAND_IN_{name}": how for name, how in behaviours.items()}
        for usual, value in [("--port", "0"), ("--engine", "process")]:
            if not any(flag.split("=")[0] == usual for flag in flags):
                flags = (usual, value, *flags)
        up = Up(self.programs + "/berth", self.state, *flags, env=env)
        self.ups.append(up)
        return up

    def nothing_left(self):
        self.assertEqual(processes_with(self.state), [])

    def test_starts_in_order_and_ends_everything(self):
        up = self.up().ready()
        order = [line.split()[1] for line in up.lines if " ready in " in line]
        self.assertEqual(order, SERVICES)
        self.assertLess(up.took, 5)
        host = wait_for(lambda: processes_with(self.state + "/hosts/h-1"), 5, "a host runs")
        pids = [up.pid(name) for name in SERVICES]
        begun = time.monotonic()
        self.assertEqual(up.signal(signal.SIGTERM).ended(), 0, up.text())
        self.assertLess(time.monotonic() - begun, 3)
        self.nothing_left()
        self.assertFalse([pid for pid in pids + host if alive(pid)])
        self.assertEqual(os.listdir(self.state + "/run"), [])
        self.assertIn("all state is kept", up.text())
        self.assertTrue(os.path.exists(self.state + "/hosts/h-1/environments-ended"))

    def test_second_start_is_quick_and_keeps_what_was_there(self):
        self.assertEqual(self.up().ready().signal(signal.SIGINT).ended(), 0)
        with open(self.state + "/token") as file:
            token = file.read()
        os.makedirs(self.state + "/homes/w-1")
        with open(self.state + "/homes/w-1/file", "w") as file:
            file.write("kept")
        up = self.up().ready()
        self.assertLess(up.took, 5)
        with open(self.state + "/token") as file:
            self.assertEqual(file.read(), token)
        up.signal().ended()
        with open(self.state + "/homes/w-1/file") as file:
            self.assertEqual(file.read(), "kept")

    def test_state_is_ours_alone_and_secrets_are_nowhere_else(self):
        up = self.up().ready()
        secrets = []
        for path in ["token", "keys/broker.key", "keys/allocator.key"]:
            self.assertEqual(stat.S_IMODE(os.stat(f"{self.state}/{path}").st_mode), 0o600, path)
            with open(f"{self.state}/{path}") as file:
                secrets.append(file.read().split()[-1])
        for folder in ["", "keys", "run", "log", "hosts", "homes"]:
            self.assertEqual(stat.S_IMODE(os.stat(f"{self.state}/{folder}").st_mode), 0o700, folder)
        seen = up.text()
        for name in SERVICES:
            with open(f"/proc/{up.pid(name)}/cmdline") as file:
                seen += file.read()
            with open(f"{self.state}/log/{name}.log") as file:
                seen += file.read()
        with open(self.state + "/berth.toml") as file:
            seen += file.read()
        for secret in secrets:
            self.assertNotIn(secret, seen)

    def test_a_process_that_dies_starts_again(self):
        up = self.up().ready()
        for name in ["allocator", "broker"]:
            before = up.pid(name)
            os.kill(before, signal.SIGKILL)
            up.saw(f"{name}", 5)
            wait_for(lambda: up.pid(name) != before and alive(up.pid(name)), 5, f"{name} runs again")
        wait_for(lambda: up.count("ready again") == 2, 5, up.text())
        self.assertIn("ended (signal 9); starts again in 100ms (restart 1)", up.text())
        self.assertEqual(up.signal().ended(), 0)
        self.nothing_left()

    def test_a_terminal_that_is_closed_ends_everything(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(self.programs + "/berth", ["berth", "--state", self.state, "up", "--port", "0", "--engine", "process"])
        seen = bytearray()

        def is_ready():
            seen.extend(os.read(terminal, 65536))
            return b"berth is ready" in seen
        try:
            wait_for(is_ready, 20, "ready")
            wait_for(lambda: processes_with(self.state + "/hosts/h-1"), 5, "a host runs")
        finally:
            os.close(terminal)  # SIGHUP, and from now on every write to it fails
        try:
            wait_for(lambda: not alive(pid), 10, "up ended")
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
            self.nothing_left()
        finally:
            for left in processes_with(self.state):
                os.kill(left, signal.SIGKILL)
        self.assertEqual(os.listdir(self.state + "/run"), [])

    def test_restarts_slow_down(self):
        up = self.up(gateway="once").ready()
        for count in range(1, 4):
            wait_for(lambda: os.path.exists(self.state + "/run/gateway.ready"), 5, "ready")
            with open(self.state + "/end-gateway", "w"):
                pass
            wait_for(lambda: up.count(f"(restart {count})") == 1, 5, up.text())
        self.assertIn("starts again in 400ms (restart 3)", up.text())

    def test_a_process_that_can_not_start_says_why(self):
        up = self.up(gateway="dies")
        self.assertEqual(up.ended(), 3, "its exit number is passed on")
        self.assertIn("the gateway ended before it was ready", up.text())
        self.assertIn("gateway: the reason why it can not start", up.text())
        self.assertIn(self.state + "/log/gateway.log", up.text())
        self.nothing_left()

    def test_ctrl_c_while_it_starts(self):
        up = self.up(allocator="mute").saw("broker      ready")
        self.assertEqual(up.signal(signal.SIGINT).ended(), 130)
        self.nothing_left()

    def test_a_deaf_process_is_killed_and_a_second_ctrl_c_hurries(self):
        up = self.up(reaper="deaf").ready()
        begun = time.monotonic()
        up.signal(signal.SIGINT).saw("ending what was started")
        self.assertEqual(up.signal(signal.SIGINT).ended(), 0)
        self.assertLess(time.monotonic() - begun, 6)
        self.assertIn("did not end in time: killed", up.text())
        self.nothing_left()

    def test_a_deaf_process_is_killed_in_time(self):
        up = self.up(reaper="deaf").ready()
        begun = time.monotonic()
        self.assertEqual(up.signal().ended(), 0)
        self.assertLess(time.monotonic() - begun, 12.5)
        self.nothing_left()

    def test_killed_up_takes_its_processes_along_and_hosts_live_on(self):
        up = self.up(reaper="deaf").ready()
        host = wait_for(lambda: processes_with(self.state + "/hosts/h-1"), 5, "a host runs")
        deaf = up.pid("reaper")
        up.signal(signal.SIGKILL).ended()
        wait_for(lambda: sorted(processes_with(self.state)) == sorted(host + [deaf]), 5, "only the deaf one and the host live on")
        again = self.up().ready()
        self.assertIn("ending 1 processes of an `up` that was killed", again.text())
        self.assertFalse(alive(deaf))
        self.assertTrue(alive(host[0]), "the host was adopted")
        self.assertEqual(again.signal().ended(), 0)
        self.nothing_left()

    def test_one_up_per_state(self):
        up = self.up().ready()
        second = self.up()
        self.assertEqual(second.ended(), 6)
        self.assertIn(f"already runs on {self.state} (pid {up.process.pid})", second.text())
        self.assertIsNone(up.process.poll())
        self.assertEqual(up.signal().ended(), 0)

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            up = self.up("--port", str(port))
            self.assertEqual(up.ended(), 6)
            self.assertIn(f"port {port} of 127.0.0.1 can not be used", up.text())
            self.assertIn("--port", up.text())
        self.nothing_left()

    def test_bad_settings_are_named(self):
        config = self.state + "/mine.toml"
        for text, wanted in [("[gatway]\nport = 1\n", "did you mean [gateway]"), ("[gateway\n", "mine.toml:1")]:
            with open(config, "w") as file:
                file.write(text)
            up = self.up("--config", config)
            self.assertEqual(up.ended(), 2, up.text())
            self.assertIn(wanted, up.text())
        for flag, wanted in [("--set=nonsense", "section.key=value"), ("--set=pol.default.buffer=1", "did you mean [pool]"),
                             ("--config=/no/such/file", "/no/such/file"), ("--engine=vm", "vm"), ("--buffer=-1", "--buffer")]:
            up = self.up(flag)
            self.assertNotEqual(up.ended(), 0, flag)
            self.assertIn(wanted, up.text())
        self.nothing_left()

    def test_a_damaged_state_folder_is_named(self):
        for name in ["keys", "run"]:
            with open(f"{self.state}/{name}", "w"):
                pass
            up = self.up()
            self.assertEqual(up.ended(), 6)
            self.assertIn(f"{self.state}/{name} is not a folder", up.text())
            os.unlink(f"{self.state}/{name}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
