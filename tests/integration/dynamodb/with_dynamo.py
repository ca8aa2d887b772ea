# SPDX-License-Identifier: Apache-2.0
"""with_dynamo.py moto|dynalite PROGRAM …: runs it beside a server that speaks as DynamoDB does, since neither of the two is
the real thing. The program finds the server at AWS_ENDPOINT_URL_DYNAMODB; BERTH_DYNAMO_BETWEEN leads to the same by a
listener that refuses calls or loses answers when it is told to. What was written is then read with boto3, as anybody would."""
import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading

import boto3
from boto3.dynamodb.conditions import Key

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "aws"))
from amazon import Server, expect  # noqa: E402

for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(AWS_ACCESS_KEY_ID="AK", AWS_SECRET_ACCESS_KEY="sk", AWS_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")


def start(kind):
    """The server's process and port; it says the port on a line of its own."""
    words = {"moto": [os.path.join(os.path.dirname(sys.executable), "moto_server"), "-H", "127.0.0.1", "-p", "0"],
             "dynalite": [shutil.which("node") or "/usr/bin/node", os.path.join(here, "serve.cjs")]}[kind]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ""
    for line in child.stdout:
        said += line
        if found := re.search(r"http://[^:\s]*:(\d+)", line):
            threading.Thread(target=child.stdout.read, daemon=True).start()       # it may say each request
            return child, int(found.group(1))
    raise SystemExit(f"{kind} did not start: {said}")


class Between:
    """The action Refuse {action, code, times} and the action Lose {action, times} are for it; the rest goes on to the server."""

    def __init__(self, port):
        self.refused, self.lost = {}, {}

        def answer(seen):
            action = seen.headers.get("x-amz-target", "").split(".")[-1]
            if action in ("Refuse", "Lose"):
                wanted = json.loads(seen.body)
                (self.refused if action == "Refuse" else self.lost)[wanted["action"]] = [wanted["times"], wanted.get("code", "")]
                return 200, {"Content-Type": "application/x-amz-json-1.0"}, "{}"
            if self.refused.get(action, [0])[0] > 0:
                self.refused[action][0] -= 1
                error = {"__type": "com.amazonaws.dynamodb.v20120810#" + self.refused[action][1], "message": "The table has had enough"}
                return 400, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(error)
            onward = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            onward.request(seen.method, seen.path, body=seen.body, headers={name: value for name, value in seen.headers.items() if name != "connection"})
            came = onward.getresponse()
            body = came.read()
            if self.lost.get(action, [0])[0] > 0:
                self.lost[action][0] -= 1
                return None
            return came.status, {"Content-Type": "application/x-amz-json-1.0"}, body

        self.server = Server(answer)
        self.url = self.server.url


def read_ledgers(amazon):
    """Every table ledger-whole-…: its rows follow each other, and each bears the hash of all before it."""
    rows = 0
    for table in amazon.tables.all():
        if not table.name.startswith("ledger-whole-"):
            continue
        chain, last = bytes(32), 0
        for item in table.query(KeyConditionExpression=Key("part").eq("log"), ConsistentRead=True)["Items"]:
            expect(item["at"] == item["first"] == last + 1, f"row {item['at']} follows {last}")
            chain = hashlib.sha256(chain + item["records"].value).digest()
            expect(item["chain"].value == chain, f"the hash of row {item['at']}")
            last = int(item["last"])
            rows += 1
        expect(table.get_item(Key={"part": "value#id", "at": 0})["Item"]["value"].startswith("l-"), "the ledger's id")
    return rows


def read_pools(amazon):
    """Every table pool-…: idle and used machines are found by the index on status, and have no other attributes than they should."""
    machines = 0
    for table in amazon.tables.all():
        if table.name.startswith("pool-"):
            for status in ("idle", "used"):
                for item in table.query(IndexName="status", KeyConditionExpression=Key("status").eq(status))["Items"]:
                    known = {"instanceId", "status", "publicIp", "privateIp", "lastHeartbeat", "leaseExpiry", "userId", "managedBy"}
                    expect({"instanceId", "status"} <= set(item) <= known and all(item.values()), item)
                    machines += 1
    return machines


kind, words = sys.argv[1], sys.argv[2:]
server, port = start(kind)
try:
    url = f"http://127.0.0.1:{port}"
    done = subprocess.run(words, env={**os.environ, "AWS_ENDPOINT_URL_DYNAMODB": url, "BERTH_DYNAMO_BETWEEN": Between(port).url})
    if done.returncode == 0:
        amazon = boto3.resource("dynamodb", endpoint_url=url, region_name="us-east-1")
        rows, machines = read_ledgers(amazon), read_pools(amazon)
        print(f"-- boto3 read {rows} rows of whole ledgers and {machines} machines from {kind}")
        expect(rows > 2 or machines > 2 or "--gtest_filter" in " ".join(words), "there is something to be read")
    sys.exit(done.returncode)
finally:
    server.kill()
    server.wait()
