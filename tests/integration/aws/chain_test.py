# SPDX-License-Identifier: Apache-2.0
"""The credential chain: each source by itself, which goes before which, renewal before the end, and what is
said when one is set up wrongly. The services are the test's own, on loopback; the instance metadata service and
the container's agent are first proved with botocore, which knows nothing of us."""
import datetime
import hashlib
import json
import os
import sys
import tempfile

import botocore.session

from amazon import Probe, Server, expect

probe = Probe(sys.argv[1])
home = tempfile.mkdtemp()
os.mkdir(home + "/.aws")
NOW = datetime.datetime.now(datetime.timezone.utc)


def later(minutes):
    return (NOW + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Metadata:
    """Version 2 alone: no answer without a session's token."""

    def __init__(self):
        self.tokens, self.role, self.ends, self.forgetful, self.key = set(), "berth-role", later(60), False, 1
        self.server = Server(self.answer)

    def answer(self, seen):
        if seen.method == "PUT" and seen.path == "/latest/api/token":
            if not 1 <= int(seen.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "0")) <= 21600:
                return 400, {}, ""
            token = f"session-{len(self.tokens)}=="
            self.tokens = {token} if self.forgetful else self.tokens | {token}
            return 200, {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}, token
        if seen.headers.get("x-aws-ec2-metadata-token") not in self.tokens:
            return 401, {}, ""
        path = seen.path.removeprefix("/latest/")
        if path == "meta-data/iam/security-credentials/":
            return (200, {}, self.role) if self.role else (404, {}, "")
        if path == "meta-data/iam/security-credentials/" + self.role:
            return 200, {}, json.dumps({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": f"ASIA-INSTANCE-{self.key}", "SecretAccessKey": "is",
                                        "Token": "it", "Expiration": self.ends, "LastUpdated": later(0)})
        if path == "meta-data/placement/region":
            return 200, {}, "eu-west-3"
        return 404, {}, ""


metadata = Metadata()
agent = Server(lambda seen: (200, {}, json.dumps({"AccessKeyId": "ASIA-CONTAINER", "SecretAccessKey": "cs", "Token": "ct", "Expiration": later(60)}))
               if seen.headers.get("authorization") == "let-me" else (403, {}, "no"))


def sts_answer(seen):
    form = dict(part.split("=", 1) for part in seen.body.decode().split("&"))
    action = form["Action"]
    if form["RoleArn"].endswith("forbidden"):
        return 403, {}, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    return 200, {}, (f"<{action}Response xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><{action}Result><Credentials><AccessKeyId>ASIA-ROLE</AccessKeyId>"
                     f"<SecretAccessKey>rs</SecretAccessKey><SessionToken>rt</SessionToken><Expiration>{later(60)}</Expiration></Credentials>"
                     f"</{action}Result></{action}Response>")


sts = Server(sts_answer)
BASE = {"HOME": home, "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.server.url, "AWS_ENDPOINT_URL_STS": sts.url, "AWS_REGION": "eu-central-1"}


def write(name, text):
    with open(f"{home}/.aws/{name}", "w", encoding="utf-8") as file:
        file.write(text)


def credentials(profile="", **environment):
    probe.ask("environment", set={**BASE, **environment}, profile=profile)
    return probe.ask("credentials")


# ---- proof of our own servers
os.environ.update({"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.server.url, "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_CONFIG_FILE": "/none"})
expect(botocore.session.Session().get_credentials().access_key == "ASIA-INSTANCE-1", "botocore takes our metadata service for one")
os.environ.update({"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url + "/creds", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let-me"})
expect(botocore.session.Session().get_credentials().access_key == "ASIA-CONTAINER", "botocore takes our agent for one")
for name in list(os.environ):
    if name.startswith("AWS_"):
        del os.environ[name]

# ---- each source, and what goes before what
got = credentials()
expect((got["key"], got["token"], got["origin"]) == ("ASIA-INSTANCE-1", "it", "the instance's role berth-role"), got)
expect(all(seen.method == "PUT" or "x-aws-ec2-metadata-token" in seen.headers for seen in metadata.server.seen), "version 1 is never asked")

container = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url + "/creds", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let-me"}
expect(credentials(**container)["key"] == "ASIA-CONTAINER", "a container goes before the instance")
with open(home + "/agent-token", "w", encoding="utf-8") as file:
    file.write("let-me\n")
expect(credentials(AWS_CONTAINER_CREDENTIALS_FULL_URI=agent.url, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=home + "/agent-token")["key"] == "ASIA-CONTAINER",
       "its token may be in a file")

write("credentials", "[default]\naws_access_key_id = AKIA-DEFAULT\naws_secret_access_key = ds\n[other]\naws_access_key_id=AKIA-OTHER\naws_secret_access_key=os\n")
expect(credentials(**container)["key"] == "AKIA-DEFAULT", "a profile goes before the container")
expect(credentials(AWS_PROFILE="other")["key"] == "AKIA-OTHER", "the profile that is named")

with open(home + "/web-token", "w", encoding="utf-8") as file:
    file.write("web-identity-token\n")
web = {"AWS_WEB_IDENTITY_TOKEN_FILE": home + "/web-token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/web"}
sts.seen.clear()
got = credentials(AWS_PROFILE="other", **web)
expect((got["key"], got["origin"]) == ("ASIA-ROLE", "role arn:aws:iam::1:role/web"), "a web identity goes before a profile")
expect(b"WebIdentityToken=web-identity-token" in sts.seen[0].body and "authorization" not in sts.seen[0].headers, "it is not signed")

keys = {"AWS_ACCESS_KEY_ID": "AKIA-ENV", "AWS_SECRET_ACCESS_KEY": "es"}
expect(credentials(**keys, **web)["key"] == "AKIA-ENV", "the environment goes first")
got = credentials(AWS_ACCESS_KEY="AKIA-SEED", AWS_SECRET_KEY="ss")
expect((got["key"], got["secret"], got["origin"]) == ("AKIA-SEED", "ss", "the environment (AWS_ACCESS_KEY)"), "the seeds' names are taken")
expect(credentials(profile="other", **keys)["key"] == "AKIA-OTHER", "a profile in the configuration goes before the environment")

# ---- kinds of profiles
write("config", """[default]
region = us-west-2
[profile role]
role_arn = arn:aws:iam::1:role/r
source_profile = other
external_id = ext/1
duration_seconds = 900
[profile chained]
role_arn = arn:aws:iam::2:role/deep
source_profile = role
[profile circle]
role_arn = arn:aws:iam::2:role/c
source_profile = circle2
[profile circle2]
role_arn = arn:aws:iam::2:role/c2
source_profile = circle
[profile forbidden]
role_arn = arn:aws:iam::2:role/forbidden
source_profile = other
[profile instance-role]
role_arn = arn:aws:iam::1:role/i
credential_source = Ec2InstanceMetadata
[profile process]
credential_process = %(home)s/keys --for "some one"
[profile bad-process]
credential_process = /bin/false
[profile slow-process]
credential_process = /no/such/program
[profile code]
role_arn = arn:aws:iam::1:role/m
source_profile = other
mfa_serial = arn:aws:iam::1:mfa/me
[profile empty]
region = us-east-1
[profile signed-on]
sso_session = corp
sso_account_id = 123
sso_role_name = dev
[profile old-sign-on]
sso_start_url = https://old.example/start
sso_region = eu-west-1
sso_account_id = 123
sso_role_name = dev
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.example/start
""" % {"home": home})
with open(home + "/keys", "w", encoding="utf-8") as file:
    file.write('#!/bin/sh\necho "a warning" >&2\n[ "$2" = "some one" ] || exit 3\n'
               'echo \'{"Version": 1, "AccessKeyId": "AKIA-PROCESS", "SecretAccessKey": "ps", "SessionToken": "pt", "Expiration": "%s"}\'\n' % later(60))
os.chmod(home + "/keys", 0o700)

sts.seen.clear()
expect(credentials(AWS_PROFILE="role")["key"] == "ASIA-ROLE", "a role by a profile's keys")
sent = sts.seen[0]
expect("Credential=AKIA-OTHER/" in sent.headers["authorization"] and "/eu-central-1/sts/" in sent.headers["authorization"], sent.headers)
expect(b"ExternalId=ext%2F1" in sent.body and b"DurationSeconds=900" in sent.body, sent.body)
sts.seen.clear()
expect(credentials(AWS_PROFILE="chained")["key"] == "ASIA-ROLE", "a role by a role")
expect(len(sts.seen) == 2 and "Credential=ASIA-ROLE/" in sts.seen[1].headers["authorization"], "the second is asked for by the first")
sts.seen.clear()
expect(credentials(AWS_PROFILE="instance-role")["key"] == "ASIA-ROLE" and "ASIA-INSTANCE" in sts.seen[0].headers["authorization"], "a role by the instance's")
got = credentials(AWS_PROFILE="process")
expect((got["key"], got["token"]) == ("AKIA-PROCESS", "pt"), got)

portal = Server(lambda seen: (200, {}, json.dumps({"roleCredentials": {"accessKeyId": "ASIA-SSO", "secretAccessKey": "xs", "sessionToken": "xt",
                                                                       "expiration": int((NOW.timestamp() + 3600) * 1000)}}))
                if seen.headers.get("x-amz-sso_bearer_token") == "bearer" and "account_id=123&role_name=dev" in seen.path else (401, {}, "{}"))
os.makedirs(home + "/.aws/sso/cache")


def sign_on(key, token, ends):
    with open(f"{home}/.aws/sso/cache/{hashlib.sha1(key.encode()).hexdigest()}.json", "w", encoding="utf-8") as file:
        json.dump({"accessToken": token, "expiresAt": ends}, file)


def refused(words, profile="", **environment):
    got = credentials(profile, **environment)
    expect("error" in got and words in got["error"], f"wanted: {words}\ngot:    {got}")
    for secret in ("wJalrX", "es", "os", "ds"):
        expect(f" {secret} " not in got["error"], "no secret is shown")


refused("has no sign-on", AWS_PROFILE="signed-on", AWS_ENDPOINT_URL_SSO=portal.url)
for profile, key in (("signed-on", "corp"), ("old-sign-on", "https://old.example/start")):
    sign_on(key, "bearer", later(60))
    expect(credentials(AWS_PROFILE=profile, AWS_ENDPOINT_URL_SSO=portal.url)["key"] == "ASIA-SSO", profile)
    sign_on(key, "bearer", later(-1))
    refused("is over; sign on again: aws sso login --profile " + profile, AWS_PROFILE=profile, AWS_ENDPOINT_URL_SSO=portal.url)
    sign_on(key, "withdrawn", later(60))
    refused("is not taken any more; sign on again", AWS_PROFILE=profile, AWS_ENDPOINT_URL_SSO=portal.url)

# ---- what is set up wrongly is said, and nothing later is tried instead
refused("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not", AWS_ACCESS_KEY_ID="AKIA")
refused("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not", AWS_SECRET_ACCESS_KEY="wJalrX")
refused("AWS_ROLE_ARN is not", AWS_WEB_IDENTITY_TOKEN_FILE="/x")
refused("there is no profile 'nobody'", AWS_PROFILE="nobody")
refused("there is no profile 'nobody'", profile="nobody")
refused("names no credentials", AWS_PROFILE="empty")
refused("leads round in a circle", AWS_PROFILE="circle")
refused("sts:AssumeRole was refused: AccessDenied: not you", AWS_PROFILE="forbidden")
refused("which only a person has", AWS_PROFILE="code")
refused("failed with status 1", AWS_PROFILE="bad-process")
refused("credential_process of profile slow-process", AWS_PROFILE="slow-process")
os.remove(home + "/.aws/credentials")
refused("answers with HTTP 403", AWS_CONTAINER_CREDENTIALS_FULL_URI=agent.url + "/creds")
refused("keys do not go over it", AWS_CONTAINER_CREDENTIALS_FULL_URI="http://keys.example/creds")
metadata.role = ""
refused("no AWS credentials: no AWS_ACCESS_KEY_ID", AWS_CONFIG_FILE="/none")
refused("AWS_EC2_METADATA_DISABLED is true", AWS_CONFIG_FILE="/none", AWS_EC2_METADATA_DISABLED="true")
metadata.role = "berth-role"
write("config", "[default]\nnonsense\n")
refused("config:2: neither a section nor key = value")
os.remove(home + "/.aws/config")

# ---- renewed early, and borne when that fails
expect(credentials()["key"] == "ASIA-INSTANCE-1", "the instance's keys")
asked = len(metadata.server.seen)
expect(probe.ask("credentials")["key"] == "ASIA-INSTANCE-1" and len(metadata.server.seen) == asked, "they are kept")
probe.ask("move", seconds=46 * 60)
metadata.key, metadata.ends = 2, later(120)
expect(probe.ask("credentials")["key"] == "ASIA-INSTANCE-2", "new ones a quarter of an hour before their end")
probe.ask("move", seconds=60 * 60)
metadata.role = ""
expect(probe.ask("credentials")["key"] == "ASIA-INSTANCE-2", "no new ones: the old ones are still good")
probe.ask("move", seconds=20 * 60)
expect("error" in probe.ask("credentials"), "until they end")
metadata.role, metadata.ends = "berth-role", later(-600)
expect("expired at" in probe.ask("credentials")["error"], "keys that have expired are not used")

# ---- the metadata service itself
probe.ask("move", seconds=-126 * 60)
metadata.ends = later(60)
probe.ask("environment", set={**BASE, "AWS_REGION": ""})
expect(probe.ask("region")["region"] == "eu-west-3", "the region is the instance's own")
expect(probe.ask("metadata", path="meta-data/nothing")["kind"] == "not_found", "no such thing")
metadata.tokens.clear()
expect(probe.ask("metadata", path="meta-data/placement/region").get("text") == "eu-west-3", "a session that was forgotten is begun anew")
dead = Server(lambda seen: None)
probe.ask("environment", set={"HOME": home, "AWS_EC2_METADATA_SERVICE_ENDPOINT": dead.url})
expect(probe.ask("metadata", path="x")["kind"] == "unavailable", "nobody there")

probe.close()
from amazon import passed  # noqa: E402  (its value now)
print(passed, "expectations held")
