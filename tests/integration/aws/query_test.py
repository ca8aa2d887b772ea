# SPDX-License-Identifier: Apache-2.0
"""The Query client over the wire: paging, what is tried again and what never, a clock that is wrong, keys that
have expired, and answers that are none."""
import datetime
import sys
from email.utils import format_datetime

from amazon import Probe, Server, expect

probe = Probe(sys.argv[1])
KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "sk", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/none"}


def answers(*scripted):
    """One after the other; the last one again and again."""
    left = list(scripted)

    def answer(seen):
        one = left.pop(0) if len(left) > 1 else left[0]
        return one(seen) if callable(one) else one

    return Server(answer)


def error(code, message="m", status=400, headers=None):
    return status, headers or {}, f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>r</RequestID></Response>"


GOOD = (200, {}, "<DescribeThingsResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'><value>v</value></DescribeThingsResponse>")


def call(server, **rest):
    probe.ask("environment", set=KEYS)
    return probe.ask("call", endpoint=server.url, action="DescribeThings", text="value", **rest)


# ---- one call
server = answers(GOOD)
got = call(server, parameters={"Filter.1.Value": "a b&c=ä"})
sent = server.seen[0]
expect(got["found"] == ["v"] and got["tries"] == 1, got)
expect(sent.body.decode() == "Action=DescribeThings&Version=2016-11-15&Filter.1.Value=a%20b%26c%3D%C3%A4", sent.body)
expect(sent.headers["content-type"].startswith("application/x-www-form-urlencoded") and "/us-east-1/ec2/" in sent.headers["authorization"], sent.headers)

# ---- all pages
def page(seen):
    at = int((seen.body.decode() + "&NextToken=0").split("NextToken=")[1].split("&")[0])
    more = f"<nextToken>{at + 1}</nextToken>" if at < 7 else ""
    return 200, {}, f"<DescribeThingsResponse><set><item>{at}a</item><item>{at}b</item></set>{more}</DescribeThingsResponse>"


got = call(answers(page), pages=True, list="set")
expect(got["found"] == [f"{n}{x}" for n in range(8) for x in "ab"], got)
got = call(answers((200, {}, "<DescribeThingsResponse><nextToken>same</nextToken></DescribeThingsResponse>")), pages=True, list="set")
expect(got["class"] == "broken" and "same next page" in got["error"], got)

# ---- what is tried again
for passing in (error("RequestLimitExceeded", status=503), error("Throttling"), error("InternalError", status=500), (502, {}, "<html>"), lambda seen: None,
                error("ResourceContention", status=500)):
    got = call(answers(passing, passing, GOOD))
    expect(got["found"] == ["v"] and got["tries"] == 3, f"{passing}: {got}")
server = answers(error("Throttling"))
got = call(server)
expect(got["class"] == "throttle" and len(server.seen) == 4, got)
for lasting, kind in ((error("UnauthorizedOperation", status=403), "permission"), (error("VcpuLimitExceeded"), "quota"), (error("InvalidAMIID.NotFound"), "missing"),
                      (error("InsufficientInstanceCapacity", status=500), "capacity"), (error("InvalidParameterValue"), "configuration")):
    server = answers(lasting)
    got = call(server)
    expect(got["class"] == kind and len(server.seen) == 1, got)
    expect(got["error"].startswith("ec2:DescribeThings was refused") and ";" in got["error"], "one line with the way out")

# ---- what would do harm twice
for unknown in (lambda seen: None, (502, {}, "<html>"), error("InternalError", status=500)):
    server = answers(unknown, GOOD)
    got = call(server, harmful=True)
    expect(got.get("perhaps_done") and len(server.seen) == 1, got)
got = call(answers(error("Throttling"), GOOD), harmful=True)
expect(got["found"] == ["v"], "what was refused for certain is tried again")

# ---- the clock
def judge(ahead):
    """Amazon's clock is `ahead` seconds before ours; what is signed for another time is refused."""
    def answer(seen):
        theirs = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=ahead)
        signed = datetime.datetime.strptime(seen.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        if abs((theirs - signed).total_seconds()) < 300:
            return GOOD
        return error("RequestExpired", "Request has expired", headers={"Date": format_datetime(theirs, usegmt=True)})
    return answer


for ahead in (-7200, 5400):
    server = answers(judge(ahead))
    got = call(server)
    expect(got["found"] == ["v"] and abs(got["skew_s"] - ahead) < 5, got)
    expect(probe.ask("call", endpoint=server.url, action="DescribeThings", text="value")["found"] == ["v"] and len(server.seen) == 3, "it stays corrected")
got = call(answers(error("RequestExpired", "no date to learn from")))
expect(got["class"] == "skew" and "set this machine's clock" in got["error"], got)

# ---- keys
server = answers(error("ExpiredToken", status=403), GOOD)
expect(call(server)["found"] == ["v"], "others are asked for once")
server = answers(error("ExpiredToken", status=403))
got = call(server)
expect(got["class"] == "permission" and "have expired: renew them" in got["error"] and len(server.seen) == 2, got)
probe.ask("environment", set={"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/none"})
got = probe.ask("call", endpoint=server.url, action="DescribeThings")
expect(got["class"] == "permission" and "was not tried: no AWS credentials" in got["error"], got)

# ---- no answer, and answers that are none
closed = Server(lambda seen: None)
closed.close()
got = call(closed)
expect(got["class"] == "unreachable" and "check the network" in got["error"], got)
for nonsense in ("", "{}", "<a", "<DescribeThingsResponse><value>v", "<OtherResponse/>", "\x00\x01", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"):
    got = call(answers((200, {}, nonsense)))
    expect(got["class"] == "broken", f"{nonsense!r}: {got}")
slow = Server(lambda seen: __import__("threading").Event().wait(3) or GOOD)
got = call(slow, deadline_ms=150, harmful=True)
expect(got["class"] == "unreachable" and got["perhaps_done"], got)

probe.close()
from amazon import passed  # noqa: E402
print(passed, "expectations held")
