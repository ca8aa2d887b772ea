# SPDX-License-Identifier: Apache-2.0
"""08: a Python client claims by publishing an event, with nothing but docs/bus.md. req 19."""
import os
import sys

from stage import HERE, Stage, expect, skip, wait_for

client = os.path.join(HERE, "../integration/bus/client.py")
if not os.path.exists(client):
    skip("tests/integration/bus/client.py is not there")
sys.path.insert(0, os.path.dirname(client))
from client import Client  # noqa: E402

with Stage("--hosts-max", "1", "--slots", "2") as stage:
    wait_for("a host is there", lambda: stage.hosts(), 60)
    with Client(stage.state, "cli", "client") as robot:
        granted = robot.claim_by_publishing(user="ada", project="published", key="published-1")
        expect(granted["workspace"], f"granted by event: {granted['workspace']}")
        expect(stage.workspace(granted["workspace"])["user"] == "ada", "and the gateway shows it")
