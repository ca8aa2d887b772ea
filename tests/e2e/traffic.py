# SPDX-License-Identifier: Apache-2.0
"""People who claim and release without end while something breaks, and what they saw, as check_history reads it
(tests/sim/history.hpp): an answer that was lost counts as unknown, never as refused."""
import datetime
import http.client
import json
import os
import subprocess
import threading

from stage import BIN


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"


class Traffic(threading.Thread):
    """`post(path, body, key)` gives the answer, as that user's; `name` tells two clients of one user apart."""

    def __init__(self, post, client, name, project="traffic", **claim):
        super().__init__(daemon=True)
        self.post, self.user, self.prefix, self.project, self.claim = post, client, name, project, claim
        self.ending = threading.Event()
        self.held, self.acknowledged, self.failures, self.calls = None, 0, 0, []

    def call(self, kind, path, body, key="", workspace=""):
        """The answer's body when it is good, else nothing; either way a row of the history."""
        row = {"client": self.user, "kind": kind, "key": key, "project": self.project, "began_at": now(), "end": "unknown",
               "workspace": workspace, "host": "", "epoch": 0, "position": 0, "count": 0, "error": "", "until": "1970-01-01T00:00:00.000Z"}
        try:
            answer = self.post(path, body, key)
            said = answer.json()
            if answer.status < 300 and (kind != "claim" or said.get("state") == "granted"):
                row.update(end="ok", workspace=said["workspace"], epoch=int(said["epoch"]) if kind == "claim" else 0)
                return said
            if answer.status < 500 and answer.status != 408:
                row.update(end="refused", error=str(said.get("kind", answer.status)))
        except (OSError, ValueError, http.client.HTTPException):
            self.failures += 1
        finally:
            row["ended_at"] = now()
            self.calls.append(row)
        return None

    def run(self):
        turn = 0
        while not self.ending.is_set():
            turn += 1
            if self.held is None:
                self.held = self.call("claim", "/v1/claims", {"project": self.project, "wait_ms": 20000, **self.claim}, key=f"{self.prefix}-{turn}")
                self.acknowledged += self.held is not None
            elif self.call("release", f"/v1/workspaces/{self.held['workspace']}/release", {"why": "traffic"}, workspace=self.held["workspace"]):
                self.held = None
            self.ending.wait(0.05)


def judged(traffic, folder):
    """(whether what all of them saw has an order in which every answer is true, what the checker said)."""
    seen = os.path.join(folder, "seen.jsonl")
    with open(seen, "w") as file:
        for row in sorted((row for one in traffic for row in one.calls), key=lambda row: row["ended_at"]):
            file.write(json.dumps(row) + "\n")
    done = subprocess.run([os.path.join(BIN, "check_history"), seen], capture_output=True, text=True)
    return done.returncode == 0, f"{done.stdout.strip()} {done.stderr.strip()}"
