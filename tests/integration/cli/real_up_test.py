# SPDX-License-Identifier: Apache-2.0
"""`berth up` with berth's own processes, and what a person types against it. Argument: the folder of
the programs. Workspaces are plain processes (engine process); the container stories are in tests/e2e."""
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from machine import Up, processes_with, wait_for  # noqa: E402

PROGRAMS = sys.argv.pop(1)
BERTH = PROGRAMS + "/berth"
SERVICES = ["broker", "allocator", "gateway", "reaper", "scaler"]
SLOWER = float(os.environ.get("BERTH_SLOWER", "1"))


class Answer:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.lines = err.splitlines()

    def json(self):
        return json.loads(self.out)


def get(link, cookie=None):
    """GET of a workspace's URL: the name is this machine, the Host header stays."""
    parts = urllib.parse.urlsplit(link)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
    headers = {"Host": f"{parts.hostname}:{parts.port}", **({"Cookie": cookie} if cookie else {})}
    try:
        connection.request("GET", parts.path + ("?" + parts.query if parts.query else ""), headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


class RealUp(unittest.TestCase):
    def setUp(self):
        self.state = tempfile.mkdtemp(prefix="berth-real-")
        self.ups = []

    def tearDown(self):
        for up in self.ups:
            up.clean()
        shutil.rmtree(self.state, ignore_errors=True)

    def up(self, *flags, state=None, env=None):
        for usual, value in [("--port", "0"), ("--engine", "process")]:
            if not any(flag.split("=")[0] == usual for flag in flags):
                flags = (usual, value, *flags)
        up = Up(BERTH, state or self.state, *flags, env=env)
        self.ups.append(up)
        return up

    def cli(self, *words, user="ada", within=60, **env):
        done = subprocess.run([BERTH, "--state", self.state, *words], capture_output=True, text=True,
                              timeout=within * SLOWER, env={**os.environ, "USER": user, **env}, stdin=subprocess.DEVNULL)
        return Answer(done.returncode, done.stdout, done.stderr)

    def ok(self, *words, **more):
        answer = self.cli(*words, **more)
        self.assertEqual(answer.code, 0, f"{words}: {answer.err}{answer.out}")
        return answer

    def home(self, workspace):
        return f"{self.state}/homes/{workspace}"

    def page(self, link):
        """What the workspace shows to a browser that opens the link."""
        status, headers, text = get(link)
        self.assertEqual(status, 302, text)
        cookie = headers["Set-Cookie"].split(";")[0]
        status, _, text = get(urllib.parse.urljoin(link, "/"), cookie)
        self.assertEqual(status, 200, text)
        return text

    def nothing_left(self):
        self.assertEqual(processes_with(self.state), [])

    # ---- the whole way

    def test_from_up_to_a_page_and_back(self):
        up = self.up("--slots", "3").ready()
        claim = self.ok("claim", "shop")
        phases = [line.split(None, 1)[1] for line in claim.lines]
        self.assertEqual(phases[0], "asking for shop of ada")
        self.assertIn("accepted as c-", phases[1])
        self.assertRegex("\n".join(phases), r"slot \d+ of h-\d+ leased")
        self.assertEqual(phases[-1], "ready")
        self.assertEqual(len(phases), len(set(phases)), "one line per phase")
        shown = dict(line.split(None, 1) for line in claim.out.splitlines())
        self.assertEqual((shown["project"], shown["user"], shown["state"]), ("shop", "ada", "granted"))
        workspace = shown["workspace"]
        self.assertIn(workspace, self.page(shown["link"]))
        self.assertEqual(get(shown["link"])[0], 403, "a link works once")
        with open(self.home(workspace) + "/diary.txt", "w") as file:
            file.write("monday")

        again = self.ok("claim", "shop", "-o", "json").json()
        self.assertEqual(again["workspace"], workspace)
        self.assertIn(workspace, self.page(self.ok("open", "shop", "--print").out.strip()))

        self.ok("stop", "shop", "--wait", "20s")
        self.assertEqual(self.ok("list", "-o", "json").json()[0]["state"], "stopped")
        self.ok("start", "shop")
        self.ok("wait", "shop", "--timeout", "30s")
        before = self.ok("list", "-o", "json").json()[0]["expires_at"]
        self.ok("extend", "shop", "12h")
        self.assertGreater(self.ok("list", "-o", "json").json()[0]["expires_at"], before)
        self.ok("hold", "shop", "1h")
        self.assertIn(workspace, self.ok("list").out)
        self.assertRegex(self.ok("hosts").out, r"h-\d+\s+default\s+live\s+open\s+1/3")
        self.assertRegex(self.ok("status").out, r"workspaces\s+1 active")
        self.assertIn("default", self.ok("pools").out)
        why = self.ok("why", "shop").out
        for fact in ["lease.granted", "workspace.stopped", "workspace.started", "lease.extended", "workspace.held"]:
            self.assertIn(fact, why)
        tap = self.ok("tap", "claim.", "--from", "0", "--count", "2", "-o", "json")
        self.assertEqual([json.loads(line)["type"] for line in tap.out.splitlines()],
                         ["io.berth.claim.accepted.v1", "io.berth.claim.granted.v1"])
        doctor = {row["part"]: row["verdict"] for row in self.ok("doctor", "-o", "json").json()}
        self.assertEqual({name: doctor[name] for name in [*SERVICES, "hosts", "access"]},
                         dict.fromkeys([*SERVICES, "hosts", "access"], "good"))
        self.ok("claim", "other", user="bob")
        begun = time.monotonic()
        self.assertEqual(up.signal(signal.SIGINT).ended(), 0, up.text())
        self.assertLess(time.monotonic() - begun, 10 * SLOWER)
        self.nothing_left()

        up = self.up("--slots", "3").ready()
        self.assertLess(up.took, 5 * SLOWER, up.text())
        known = {row["project"]: row for row in self.ok("list", "-o", "json").json()}
        self.assertEqual(sorted(known), ["other", "shop"])
        after = self.ok("claim", "shop", "-o", "json").json()
        self.assertEqual(after["workspace"], workspace)
        # Its environment starts again beside the claim: the lease was never over.
        wait_for(lambda: get(self.ok("open", "shop", "--print").out.strip())[0] == 302, 20 * SLOWER, "its page")
        wait_for(lambda: "ada" in self.page(self.ok("open", "shop", "--print").out.strip()), 20 * SLOWER, "its page")
        with open(self.home(workspace) + "/diary.txt") as file:
            self.assertEqual(file.read(), "monday")
        self.ok("destroy", "shop", "--yes", "--wait", "20s")
        wait_for(lambda: not os.path.exists(self.home(workspace)), 10 * SLOWER, "its files are gone")
        self.assertEqual([row["project"] for row in self.ok("list", "-o", "json").json()], ["other"])
        self.assertEqual(up.signal().ended(), 0, up.text())
        self.nothing_left()

    def test_a_killed_up_is_taken_over(self):
        up = self.up("--hosts-max", "1").ready()
        workspace = self.ok("claim", "shop", "-o", "json").json()["workspace"]
        os.kill(up.process.pid, signal.SIGKILL)
        up.process.wait()
        up = self.up("--hosts-max", "1").ready()
        self.assertEqual(self.ok("claim", "shop", "-o", "json").json()["workspace"], workspace)
        wait_for(lambda: get(self.ok("open", "shop", "--print").out.strip())[0] == 302, 20 * SLOWER, "its page")
        self.assertEqual(up.signal().ended(), 0, up.text())
        self.nothing_left()

    def test_exit_numbers_and_words(self):
        self.assertEqual(self.cli("list").code, 1)  # nothing runs yet
        self.assertIn("berth up", self.cli("list").err)
        self.assertEqual(self.cli("doctor").code, 1)
        self.up("--hosts-max", "1", "--slots", "1", "--buffer", "0").ready()
        for words, code, said in [
                (["claim", "../etc"], 2, "project name"), (["claim", "a", "--ttl", "soon"], 2, "--ttl"),
                (["claim"], 2, "project is required"), (["clam", "a"], 2, "did you mean 'claim'?"),
                (["list", "--columns", "size"], 2, "there are: workspace"), (["stop", "nothing"], 5, "berth list"),
                (["claim", "a", "--pool", "gpu"], 5, "berth pools"), (["why", "nothing"], 5, "nothing in the ledger"),
                (["--token-file", "/dev/null", "list"], 4, "token"), (["status", "--instance-id", "i-1"], 5, "berth hosts"),
                (["destroy", "nothing"], 5, "berth list"), (["tap", "--from", "x", "--count", "1"], 2, "")]:
            answer = self.cli(*words)
            self.assertEqual(answer.code, code, f"{words}: {answer.err}")
            self.assertIn(said, answer.err, words)
        self.ok("claim", "one")
        refused = self.cli("claim", "two", "--no-wait")
        self.assertEqual(refused.code, 3, refused.err)
        self.assertRegex(refused.err, r"no slot is free in pool default: .*; see `berth why c-\d+`")
        self.assertIn(self.cli("claim", "two", "--wait", "1s").code, (3, 124))
        self.assertIn("no slot became free", self.ok("why", "two").out)
        self.assertEqual(self.cli("wait", "one", "--for", "released", "--timeout", "1s").code, 124)
        self.assertEqual(self.cli("destroy", "one").code, 2)  # no terminal to ask on
        for format_ in ["table", "wide", "json", "yaml", "name"]:
            self.assertIn("one" if format_ != "name" else "w", self.ok("list", "-o", format_).out)
        self.assertNotIn("\033", self.ok("list", "--color", "auto").out)
        self.assertIn("\033", self.ok("list", "--color", "always").out)

    def test_ctrl_c_lets_a_claim_go_on(self):
        self.up("--hosts-max", "1", "--slots", "1", "--buffer", "0").ready()
        self.ok("claim", "one")
        waiting = subprocess.Popen([BERTH, "--state", self.state, "claim", "two"], stderr=subprocess.PIPE, text=True,
                                   stdout=subprocess.DEVNULL, env={**os.environ, "USER": "ada"})
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(waiting.stderr.readline, "")), daemon=True)
        reader.start()
        wait_for(lambda: any("queued" in line for line in lines), 20 * SLOWER, "it waits in line")
        waiting.send_signal(signal.SIGINT)
        self.assertEqual(waiting.wait(10), 130)
        reader.join(5)
        waiting.stderr.close()
        command = "".join(lines).rsplit("berth ", 1)[1].split()
        self.ok("release", "one")
        taken_up = self.ok(*command, "-o", "json")
        self.assertEqual((taken_up.json()["project"], taken_up.json()["state"]), ("two", "granted"))

    # ---- what can be wrong when it starts

    def refused(self, code, *said, flags=(), state=None, env=None):
        up = self.up(*flags, state=state, env=env)
        self.assertEqual(up.ended(30), code, up.text())
        error = up.text()[up.text().index("error: "):]
        for text in said:
            self.assertIn(text, error)
        self.assertEqual(processes_with(state or self.state), [])

    def make_ledger(self):
        self.assertEqual(self.up().ready().signal().ended(), 0)
        return self.state + "/ledger.sqlite"

    def test_settings_that_can_not_be(self):
        config = self.state + "/mine.toml"
        for text, said in [("[gateway]\nprot = 1\n", f"{config}:2: unknown key 'prot' in [gateway]; did you mean 'port'?"),
                           ("[reaper]\n\ntick = \"soon\"\n", f"{config}:3: tick: 'soon' is not a duration"),
                           ("[gatway]\n", "did you mean [gateway]?"), ("[gateway\n", f"{config}:1")]:
            with open(config, "w") as file:
                file.write(text)
            self.refused(2, said, flags=("--config", config))
        self.refused(2, "--set: unknown key 'bufer' in [pool.default]; did you mean 'buffer'?", flags=("--set", "pool.default.bufer=1"))
        # In bounds for its kind, out of bounds for its process: that process says so, and `up` passes it on.
        self.refused(2, "the allocator can not start", "slots_per_host", flags=("--set", "pool.default.slots_per_host=100000"))

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            self.refused(6, f"port {port}", "--port", "ss -ltnp", flags=("--port", str(port)))

    def test_a_second_up_on_the_same_state(self):
        first = self.up().ready()
        second = self.up()
        self.assertEqual(second.ended(), 6)
        self.assertIn(f"already runs on {self.state} (pid {first.process.pid})", second.text())
        self.assertEqual(self.cli("list").code, 0, "the first is not disturbed")

    def test_a_ledger_that_another_allocator_has(self):
        connection = sqlite3.connect(self.make_ledger(), isolation_level=None)
        connection.execute("begin exclusive")
        self.refused(6, "the allocator can not start", "is in use by another allocator", "fuser")
        connection.close()
        self.up().ready()

    def test_a_ledger_that_is_no_ledger(self):
        path = self.make_ledger()
        size = os.path.getsize(path)
        with open(path, "r+b") as file:
            file.truncate(size - 4096)  # torn: its last page is missing
        self.refused(1, "ledger.sqlite is damaged", "restore a copy")
        with open(path, "wb") as file:
            file.write(b"nothing like a database, " * 400)
        self.refused(1, "ledger.sqlite is damaged", "restore a copy")
        self.assertTrue(os.path.exists(path), "what is damaged is left as it is")

    def test_a_fact_whose_bytes_changed(self):
        path = self.make_ledger()
        connection = sqlite3.connect(path)
        connection.execute("update batches set records = cast(substr(records, 1, length(records) - 1) || x'00' as blob) "
                           "where first = (select max(first) from batches)")
        connection.commit()
        connection.close()
        self.refused(1, "the allocator can not start", "position")

    def test_a_state_folder_that_can_not_be_written(self):
        self.refused(1, "cannot make the folder /proc/berth", "--state DIR", state="/proc/berth")
        if os.geteuid() == 0:
            os.chmod(self.state, 0o755)
            berth = shutil.copy2(BERTH, self.state + "/berth")  # the build may lie where that user cannot read
            os.chmod(berth, 0o755)
            done = subprocess.run([berth, "--state", self.state + "/x", "up", "--engine", "process"], capture_output=True,
                                  text=True, user=65534, group=65534, extra_groups=[])
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("Permission denied. Choose another with --state DIR", done.stderr)

    def test_a_disk_that_is_full(self):
        if os.geteuid() != 0:
            self.skipTest("only root can mount a small disk")
        folder = self.state + "/small"
        os.mkdir(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True)
        try:
            self.refused(1, "KiB are free on the disk", "--state DIR", state=folder + "/state")
        finally:
            subprocess.run(["umount", folder], check=True)

    def test_a_container_engine_that_is_absent_or_silent(self):
        path = self.state + "/engine.sock"
        env = {"DOCKER_HOST": "unix://" + path}
        self.refused(1, f"{path}: there is no socket", "--engine process", flags=("--engine", "docker"), env=env)
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(path)
            silent.listen()
            begun = time.monotonic()
            self.refused(1, f"{path}: no answer within 3s", "--engine process", flags=("--engine", "docker"), env=env)
            self.assertLess(time.monotonic() - begun, 10)

    def test_a_kernel_whose_watches_are_too_few_for_all_slots(self):
        """Field report 23: all slots share one uid, and the kernel counts per uid. The limit is another one for this command alone."""
        if os.geteuid() != 0:
            self.skipTest("SKIPPED: another limit needs a mount, and that root")
        limit = self.state + "/limit"
        with open(limit, "w") as to:
            to.write("9\n")
        script = f"mount --bind {limit} /proc/sys/fs/inotify/max_user_instances && exec {BERTH} --state {self.state} doctor -o json"
        done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], capture_output=True, text=True, timeout=60 * SLOWER)
        row = next(row for row in json.loads(done.stdout) if row["part"] == "watches")
        self.assertEqual(row["verdict"], "warning")
        self.assertIn("max_user_instances is 9 for", row["text"])
        self.assertIn("sysctl -w fs.inotify.max_user_instances=", row["advice"])

    def test_an_environment_that_can_not_start(self):
        self.refused(5, "cannot run /no/such/code-server", "script/code-server",
                     flags=("--set", "hostagent.process_command=/no/such/code-server"))

    def test_an_environment_that_is_never_healthy(self):
        """As a code-server that hangs: the claim ends with the reason, `up` goes on, doctor says it too."""
        up = self.up("--set", "hostagent.process_command=/bin/sleep 600", "--set", "hostagent.prepare_deadline=1s",
                     "--set", "hostagent.standby_retry=1s", "--hosts-max", "1", "--slots", "2").ready()
        answer = self.cli("claim", "shop", "--wait", "20s")
        self.assertIn(answer.code, (1, 3, 124), answer.err)
        self.assertIn("healthy", answer.err)
        self.assertEqual(self.cli("status").code, 0)
        self.assertEqual(up.signal().ended(), 0, up.text())
        self.nothing_left()


if __name__ == "__main__":
    unittest.main(verbosity=2)
