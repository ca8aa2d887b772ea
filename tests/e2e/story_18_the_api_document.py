# SPDX-License-Identifier: Apache-2.0
"""18: the gateway keeps to its OpenAPI document: schemathesis asks what the document allows and what it forbids, as an
operator and for a bounded time (the same examples each time, in the same order), and finds nothing. Issue 16, point 5."""
import os
import subprocess
import sys

from stage import HERE, SLOWER, Stage, expect, skip, wait_for

ROOT = os.path.join(HERE, "../..")
EXAMPLES = sys.argv[1] if len(sys.argv) > 1 else "8"
if subprocess.run([os.path.join(ROOT, "script/schemathesis"), "--version"], capture_output=True).returncode != 0:
    skip("schemathesis is not there, and PyPI does not give it")

# An event stream does not end; who is signed out, or revokes the token that asks, can ask no more.
NOT_ASKED = ["^/v1/events$", "^/v1/tokens/[^/]+$", "^/v1/me/token$"]


def finds_nothing(stage, token, seconds, *filters):
    command = [os.path.join(ROOT, "script/schemathesis"), "run", stage.url + "/v1/openapi.json", "-H", f"Authorization: Bearer {token}", "--phases", "coverage,fuzzing",
               "--max-examples", EXAMPLES, "--generation-deterministic", "--workers", "1", "--request-timeout", "20",
               "--suppress-health-check", "all", "--no-color", "--warnings", "off", "--max-time", str(seconds), *filters]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400 * SLOWER, cwd=stage.folder)
    print(done.stdout[-12000:].replace(token, "…"), done.stderr[-2000:])
    return done.returncode == 0


with Stage("--hosts-max", "1", "--slots", "2", "--set", "gateway.claim_wait=100ms", "--set", "gateway.claim_wait_max=200ms") as stage:
    wait_for("a host is there", lambda: stage.hosts(), 60)
    stage.claim("ada", wait_ms=200)
    users = stage.call("POST", "/v1/tokens", {"role": "user", "user": "ada"}).json()["token"]
    stage.secrets.append(users)
    # Whose a claim is, an operator has to say and a user need not: that no document can tell apart.
    excluded = [word for path in NOT_ASKED + ["^/v1/claims$"] for word in ("--exclude-path-regex", path)]
    expect(finds_nothing(stage, stage.token, 20, *excluded), "schemathesis finds nothing, as an operator")
    expect(finds_nothing(stage, users, 5, "--include-path-regex", "^/v1/(claims|workspaces)",
                         "--exclude-checks", "not_a_server_error"), "nor as a user, whose many claims find no slot free (503) after a while")
    expect(stage.call("GET", "/health").status == 200, "and the gateway is well after all that")
