# SPDX-License-Identifier: Apache-2.0
"""Our signatures against two that we did not write: botocore's over thousands of random requests, headers and
query alike, and libcurl's over requests that it truly sends."""
import random
import subprocess
import sys
from urllib.parse import quote

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from amazon import Probe, Server, expect

SIGNED = 3000
PRESIGNED = 1000
BY_CURL = 40

probe = Probe(sys.argv[1])
seed = random.randrange(1 << 32)
chance = random.Random(seed)
print("reproduce: seed", seed)

WORDS = "abcXYZ019-_.~ /+=&%*!'()@:,;?#[]{}|\"\\<>^`äß漢\t"


def text(most, letters=WORDS):
    return "".join(chance.choice(letters) for _ in range(chance.randrange(most + 1)))


def word(most=8):
    return "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(1 + chance.randrange(most)))


def random_request():
    path = "/" + "/".join(quote(text(6), safe="-_.~") for _ in range(chance.randrange(4)))
    if chance.random() < 0.1:
        path += chance.choice(["/..", "/.", "//", "/a/../b", "/./"])
    query = "&".join(f"{quote(text(5) or 'k', safe='-_.~')}={quote(text(8), safe='-_.~')}" for _ in range(chance.randrange(5)))
    headers = [("X-Amz-" + word() + str(n), " ".join(text(6, "abc DEF  019").split("\t"))) for n in range(chance.randrange(3))]
    if chance.random() < 0.7:
        headers.append(("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"))
    return {
        "method": chance.choice(["POST", "GET", "PUT"]),
        "host": chance.choice(["ec2.us-east-1.amazonaws.com", "127.0.0.1:5000", "autoscaling.cn-north-1.amazonaws.com.cn"]),
        "path": path, "query": query, "headers": headers, "body": "&".join(f"{word()}={quote(text(9))}" for _ in range(chance.randrange(6))),
        "region": chance.choice(["us-east-1", "eu-central-1", "cn-north-1"]), "service": chance.choice(["ec2", "autoscaling", "sts"]),
        "key": "AKIA" + word().upper(), "secret": quote(text(40)) or "x", "token": chance.choice(["", "", "tok/en+=="]),
    }


def at_of(amz_date):
    d = amz_date
    return f"{d[0:4]}-{d[4:6]}-{d[6:8]}T{d[9:11]}:{d[11:13]}:{d[13:15]}Z"


for _ in range(SIGNED):
    wanted = random_request()
    request = AWSRequest(method=wanted["method"], url=f"https://{wanted['host']}{wanted['path']}" + (f"?{wanted['query']}" if wanted["query"] else ""),
                         headers=dict(wanted["headers"]), data=wanted["body"])
    SigV4Auth(Credentials(wanted["key"], wanted["secret"], wanted["token"] or None), wanted["service"], wanted["region"]).add_auth(request)
    ours = probe.ask("sign", at=at_of(request.headers["X-Amz-Date"]), **wanted)
    expect(ours["authorization"] == request.headers["Authorization"], f"{wanted}\nours  {ours['authorization']}\ntheirs {request.headers['Authorization']}")

for _ in range(PRESIGNED):
    wanted = random_request()
    # botocore makes a dictionary of the query here, so no name comes twice.
    named = {part.split("=")[0]: part for part in wanted["query"].split("&") if part}
    wanted.update(method="GET", body="", headers=[], query="&".join(named.values()))
    lasts = 1 + chance.randrange(604800)
    request = AWSRequest(method="GET", url=f"https://{wanted['host']}{wanted['path']}" + (f"?{wanted['query']}" if wanted["query"] else ""))
    SigV4QueryAuth(Credentials(wanted["key"], wanted["secret"], wanted["token"] or None), wanted["service"], wanted["region"], expires=lasts).add_auth(request)
    theirs = dict(part.split("=", 1) for part in request.url.split("?", 1)[1].split("&"))
    ours = probe.ask("sign", at=at_of(theirs["X-Amz-Date"]), lasts=lasts, **wanted)
    mine = dict(part.split("=", 1) for part in ours["query"].split("&"))
    expect(mine == theirs, f"{wanted}\nours   {mine}\ntheirs {theirs}")

# libcurl cannot take a date, so its own is read off the wire. What it is known to sign wrongly is left out:
# paths and queries of any kind, headers that are empty or come twice.
server = Server(lambda seen: (200, {}, ""))
for _ in range(BY_CURL):
    wanted = random_request()
    wanted.update(method="POST", path="/", query="", headers=[], host=server.url.removeprefix("http://"))
    command = ["curl", "-sS", "--noproxy", "*", "--aws-sigv4", f"aws:amz:{wanted['region']}:{wanted['service']}", "--user", f"{wanted['key']}:{wanted['secret']}",
               "-H", "Content-Type: application/x-www-form-urlencoded", "--data-binary", wanted["body"], server.url + "/"]
    if wanted["token"]:
        command += ["-H", "X-Amz-Security-Token: " + wanted["token"]]
    subprocess.run(command, check=True, timeout=30)
    seen = server.seen[-1]
    named = seen.headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    wanted["headers"] = [(name, seen.headers[name]) for name in named if name not in ("host", "x-amz-date", "x-amz-security-token")]
    ours = probe.ask("sign", at=at_of(seen.headers["x-amz-date"]), **wanted)["authorization"]
    theirs = seen.headers["authorization"]
    expect(ours.split("Signature=")[1] == theirs.split("Signature=")[1], f"{wanted}\nours  {ours}\ntheirs {theirs}")

server.close()
probe.close()
print(f"{SIGNED} signed and {PRESIGNED} presigned as botocore does, {BY_CURL} as libcurl does")
