# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL as the peer, with its own pgbench as the load: FOR UPDATE SKIP LOCKED, the queue of many services."""
import getpass
import pathlib
import re
import subprocess

from plumbing.processes import Process, folder, free_port, run

SCHEMA = """
CREATE TABLE slots (id bigint PRIMARY KEY, epoch bigint NOT NULL DEFAULT 0, workspace text);
CREATE INDEX free ON slots (id) WHERE workspace IS NULL;
CREATE TABLE keys (key text PRIMARY KEY, slot bigint NOT NULL, at timestamptz NOT NULL DEFAULT now());
INSERT INTO slots (id) SELECT generate_series(1, {slots});
ANALYZE slots;
"""
# One transaction each: durable before its reply. The key makes a claim idempotent, as berth's does.
CYCLE = r"""
\set n random(1, 1000000000000)
WITH free AS (SELECT id FROM slots WHERE workspace IS NULL LIMIT 1 FOR UPDATE SKIP LOCKED),
     taken AS (UPDATE slots SET workspace = 'w-:n', epoch = epoch + 1 FROM free WHERE slots.id = free.id RETURNING slots.id)
INSERT INTO keys (key, slot) SELECT 'k-:n', id FROM taken RETURNING slot \gset
UPDATE slots SET workspace = NULL WHERE id = :slot;
"""


class Postgres:
    def __init__(self, slots=200_000):
        self.bin = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.user = "postgres" if getpass.getuser() == "root" else None      # it refuses to be root
        self.folder, self.port = folder(self.user), free_port()
        data = self.folder / "data"
        run(self.bin / "initdb", "-D", data, "-A", "trust", "-U", "bench", "--no-instructions", user=self.user, cwd=self.folder)
        self.process = Process("postgres", [self.bin / "postgres", "-D", data, "-p", self.port, "-k", self.folder,
                                            "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=120"],
                               user=self.user, cwd=self.folder)
        ready = [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        self.process.until(lambda: subprocess.run(ready).returncode == 0)
        self.pid = self.process.pid
        self.psql(SCHEMA.format(slots=slots))
        self.script = self.folder / "cycle.sql"
        self.script.write_text(CYCLE)
        self.script.chmod(0o644)

    def psql(self, text):
        return run(self.bin / "psql", "-h", "127.0.0.1", "-p", self.port, "-U", "bench", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-qc", text)

    def cycles(self, clients, seconds):
        """Of a claim and a release, each committed."""
        seconds = max(2, round(seconds)) if clients > 10 else max(1, round(seconds))    # connecting them takes a part of it
        said = run(self.bin / "pgbench", "-h", "127.0.0.1", "-p", self.port, "-U", "bench", "-n", "-c", clients, "-j", 2, "-T", seconds,
                   "-f", self.script, "postgres")
        count = int(re.search(r"actually processed: (\d+)", said).group(1))
        if count == 0:                                  # a machine so busy that no cycle ended in time
            return {"count": 0, "seconds": seconds}
        mean = float(re.search(r"latency average = ([\d.]+)", said).group(1))
        return {"count": count, "seconds": count / float(re.search(r"tps = ([\d.]+)", said).group(1)), "latency": {"mean_us": mean * 1e3}}

    def end(self):
        self.process.end()
