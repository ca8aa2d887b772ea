# SPDX-License-Identifier: Apache-2.0
"""`berth create`, `status`, `list`, `extend`, `stop`, `start`, `terminate` and `service` as a person runs them, against moto; what
they did is read by boto3. Then what goes wrong: each has to be one line that names the way out, and nothing may be left running.
At the end moto checks every right: the shipped policy is enough, and each of its actions is missed by name when it lacks."""
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request

import boto3

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "aws"))
from amazon import expect  # noqa: E402
from peers import Between, Moto  # noqa: E402

BERTH = sys.argv[1]
ROOT = os.path.join(os.path.dirname(__file__), "..", "..", "..")
for name in list(os.environ):
    if name.startswith(("AWS_", "BERTH_")):
        del os.environ[name]
os.environ.update({"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "sk", "AWS_DEFAULT_REGION": "us-east-1"})
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDMwXpiNEr3wZjbIX2Uq789xpMYGkJYs+dGrnMLRY1W8 ada@laptop"
HOME = tempfile.mkdtemp(prefix="berth-instances.")


def stamp(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Person:
    def __init__(self, url, config="", **environment):
        self.folder = tempfile.mkdtemp(dir=HOME)
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "USER": "ada", "BERTH_STATE": self.folder + "/state", "AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "sk",
                            "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": url, "BERTH_CONFIG": self.folder + "/berth.toml", **environment}
        self.configure(config)

    def configure(self, text):
        with open(self.folder + "/berth.toml", "w") as file:
            file.write(f'[instances]\nimage = "{IMAGE}"\nlook_every = "50ms"\n{text}\n')

    def run(self, *words):
        ended = subprocess.run([BERTH, *words], env=self.environment, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        return ended.returncode, ended.stdout, ended.stderr

    def ok(self, *words):
        code, out, err = self.run(*words)
        expect(code == 0, f"{words} works: {code} {out} {err}")
        return out

    def json(self, *words):
        return json.loads(self.ok(*words, "-o", "json"))

    def fails(self, code, says, *words):
        """One line of error, which says all of these."""
        came, out, err = self.run(*words)
        lines = [line for line in err.splitlines() if line.startswith("error:")]
        expect(came == code and len(lines) == 1, f"{words} fails with {code} and one line: {came} {out} {err}")
        for word in [says] if isinstance(says, str) else says:
            expect(word in lines[0], f"{words} says {word!r}: {lines[0]}")
        return lines[0]


moto = Moto()
between = Between(moto)
ec2 = boto3.client("ec2", endpoint_url=moto.url)
an_image = next(image for image in ec2.describe_images()["Images"] if image["Architecture"] == "x86_64" and image.get("RootDeviceName") and "ubuntu" in image["Name"])
IMAGE = f"{an_image['OwnerId']}/{an_image['Name'][:-4]}*"


def seen(instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def tags(instance):
    return {tag["Key"]: tag["Value"] for tag in seen(instance).get("Tags", [])}


def running():
    return [one["InstanceId"] for page in ec2.describe_instances()["Reservations"] for one in page["Instances"] if one["State"]["Name"] in ("running", "pending")]


def set_end(instance, seconds):
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "berth:expires-at", "Value": stamp(seconds)}])


try:
    ada = Person(between.url)

    # ---- the defaults of requirement 23: aws, t2.nano, 1h, no key, us-east-1a
    first = ada.json("create")
    made = seen(first["instance"])
    expect((made["InstanceType"], made["Placement"]["AvailabilityZone"]) == ("t2.nano", "us-east-1a"), made)
    expect(first["state"] == "running" and first["address"] == made["PublicIpAddress"] and first["ssh"] == "", first)
    left = datetime.datetime.fromisoformat(first["expires_at"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
    expect(3500 < left.total_seconds() <= 3600, f"an hour: {left}")
    expect(first["cost_per_hour"] == 0.0058, first)
    form = between.forms("RunInstances")[0]
    expect(form["MetadataOptions.HttpTokens"] == "required" and form["MetadataOptions.HttpPutResponseHopLimit"] == "1" and "KeyName" not in form and "SecurityGroupId.1" not in form, form)
    expect(form["InstanceInitiatedShutdownBehavior"] == "stop" and form["ClientToken"].startswith("berth-"), form)

    # ---- with everything
    with open(ada.folder + "/id.pub", "w") as file:
        file.write(KEY + "\n")
    second = ada.json("create", "--provider", "aws", "--instance-type", "t3.micro", "--duration", "2h", "--public-key", ada.folder + "/id.pub", "--availability-zone", "us-east-1b",
                      "--encrypt-volume", "--name", "mine")
    made = seen(second["instance"])
    expect((made["InstanceType"], made["Placement"]["AvailabilityZone"]) == ("t3.micro", "us-east-1b"), made)
    expect(second["ssh"] == f"ssh ubuntu@{made['PublicIpAddress']}" and second["name"] == "mine", second)
    key = ec2.describe_key_pairs(KeyNames=[made["KeyName"]])["KeyPairs"][0]
    expect(made["KeyName"].startswith("berth-") and {"Key": "berth:cluster", "Value": "berth"} in key["Tags"], key)
    group = ec2.describe_security_groups(GroupIds=[made["SecurityGroups"][0]["GroupId"]])["SecurityGroups"][0]
    expect(group["GroupName"] == "berth-ssh" and [(rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) for rule in group["IpPermissions"]] == [(22, 22, "tcp")], group)
    volume = ec2.describe_volumes(VolumeIds=[made["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"][0]
    expect(volume["Encrypted"], volume)
    third = ada.json("create", "--public-key", KEY, "--idempotency-key", "again")
    again = ada.json("create", "--public-key", KEY, "--idempotency-key", "again")
    expect(third["instance"] == again["instance"], "the same key is the same instance")
    expect(len(ec2.describe_key_pairs()["KeyPairs"]) == 1 and seen(third["instance"])["SecurityGroups"][0]["GroupId"] == group["GroupId"], "one key pair and one group for all")
    table = ada.ok("list")
    expect(all(one["instance"] in table for one in (first, second, third)) and "$0.0104" not in ada.run("list")[2], table)
    expect("$0.022 per hour" in ada.run("list", "--provider", "aws")[2], ada.run("list", "--provider", "aws"))
    status = ada.ok("status", "--instance-id", second["instance"])
    expect(second["ssh"] in status and "$0.010" in status, status)

    # ---- signing in: the system's ssh takes over, with its exit code
    os.mkdir(ada.folder + "/bin")
    with open(ada.folder + "/bin/ssh", "w") as file:
        file.write('#!/bin/sh\necho "$@"\nexit 7\n')
    os.chmod(ada.folder + "/bin/ssh", 0o755)
    signs_in = Person(between.url, PATH=ada.folder + "/bin:" + os.environ["PATH"])
    code, out, _ = signs_in.run("ssh", second["instance"], "-i", "/k", "--", "uname", "-a")
    expect(code == 7 and out == f"-o HostKeyAlias={second['instance']} -i /k ubuntu@{second['address']} uname -a\n", (code, out))
    ada.fails(4, ["made without --public-key"], "ssh", first["instance"])

    # ---- its end: stopped by the service, extended from there, marked when its tag is gone, ended for good
    set_end(first["instance"], -5)
    served = ada.run("service", "--once")
    expect(served[0] == 0 and "its time is over" in served[2] and seen(first["instance"])["State"]["Name"] == "stopped", served)
    expect(set(running()) == {second["instance"], third["instance"]}, "the others run on")
    ada.fails(6, ["it would be stopped again", "berth extend"], "start", "--instance-id", first["instance"])
    extended = ada.json("extend", "--instance-id", first["instance"], "--duration", "3h")
    expect(extended["state"] == "running" and tags(first["instance"])["berth:expires-at"] == extended["expires_at"] and "berth:spent" in tags(first["instance"]), extended)
    kept = ada.json("extend", "--instance-id", first["instance"], "--duration", "1h")
    expect(kept["expires_at"] == extended["expires_at"], "an extension never shortens")
    ada.ok("stop", "--instance-id", first["instance"])
    expect(seen(first["instance"])["State"]["Name"] == "stopped", "stopped by hand")
    expect(ada.json("start", "--instance-id", first["instance"])["state"] == "running", "and started")
    ec2.delete_tags(Resources=[first["instance"]], Tags=[{"Key": "berth:expires-at"}])
    served = ada.run("service", "--once", "--verbose")
    expect("it lasts 1h from its start" in served[2] and "berth:expires-at" in tags(first["instance"]) and first["instance"] in running(), served)
    ec2.stop_instances(InstanceIds=[first["instance"]])
    set_end(first["instance"], -8 * 86400)
    ec2.create_tags(Resources=[third["instance"]], Tags=[{"Key": "berth:kind", "Value": "of somebody else"}])
    set_end(third["instance"], -5)
    served = ada.run("service", "--once")
    expect(third["instance"] in running() and second["instance"] in running(), "what is not ours is left alone")
    ec2.create_tags(Resources=[third["instance"]], Tags=[{"Key": "berth:kind", "Value": "instance"}])
    ada.ok("service", "--once")
    ada.ok("terminate", "--instance-id", "mine")
    for one in (first, third):
        ada.ok("terminate", "--instance-id", one["instance"])
    expect(not running(), "all are ended")
    ada.ok("service", "--once")
    expect(not ec2.describe_key_pairs()["KeyPairs"] and not [one for one in ec2.describe_security_groups()["SecurityGroups"] if one["GroupName"] == "berth-ssh"], "and what they needed is gone")
    expect(ada.json("list") == [], "an empty list")
    ada.fails(6, "berth create", "extend", "--instance-id", second["instance"], "--duration", "1h")

    # ---- spot, and on demand when there is none
    spot = ada.json("create", "--spot")
    expect(seen(spot["instance"]).get("InstanceLifecycle") == "spot" and spot["spot"], spot)
    ada.fails(6, "berth terminate", "stop", "--instance-id", spot["instance"])
    set_end(spot["instance"], -5)
    ada.ok("service", "--once")
    expect(seen(spot["instance"])["State"]["Name"] == "terminated", "a spot one is ended")
    between.refuse["RunInstances"] = [("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")]
    code, out, err = ada.run("create", "--spot", "-o", "json")
    expect(code == 0 and not json.loads(out)["spot"] and "on demand" in err and "MaxSpotInstanceCountExceeded" in err, err)
    ada.ok("terminate", "--instance-id", json.loads(out)["instance"])

    # ---- the loop itself, as it runs for long: it stops what is over, and ends at Ctrl-C
    looped = ada.json("create")
    ada.configure('data_every = "100ms"\nstates_every = "200ms"')
    loop = subprocess.Popen([BERTH, "service", "--log-level", "info"], env=ada.environment, stderr=subprocess.PIPE, text=True)
    expect("ready" in loop.stderr.readline(), "it says that it is ready")
    set_end(looped["instance"], -1)
    said = ""
    while "instance.deed" not in said:
        said = loop.stderr.readline()
        expect(said, "the loop goes on")
    ec2.terminate_instances(InstanceIds=[looped["instance"]])
    while "instance.changed" not in said or "terminated" not in said:
        said = loop.stderr.readline()
        expect(said, "the loop goes on")
    loop.terminate()
    expect(loop.wait(timeout=30) == 0 and "stopped" in loop.stderr.read(), "and ends well")
    ada.configure("")

    # ---- bad input: one line, and nothing runs
    with open(ada.folder + "/id", "w") as file:
        file.write("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n")
    ada.fails(2, "is a private key", "create", "--public-key", ada.folder + "/id")
    ada.fails(2, "no public key", "create", "--public-key", "hello you")
    ada.fails(2, "nowhere.pub", "create", "--public-key", ada.folder + "/nowhere.pub")
    ada.fails(2, ["t9.nano", "describe-instance-types"], "create", "--instance-type", "t9.nano")
    rare = next(one for one in ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=[{"Name": "location", "Values": ["us-east-1a"]}])["InstanceTypeOfferings"]
                if one["InstanceType"] not in {other["InstanceType"] for other in ec2.describe_instance_type_offerings(
                    LocationType="availability-zone", Filters=[{"Name": "location", "Values": ["us-east-1e"]}])["InstanceTypeOfferings"]})["InstanceType"]
    ada.fails(2, [f"zone us-east-1e has no {rare}", "these have: us-east-1"], "create", "--instance-type", rare, "--availability-zone", "us-east-1e")
    ada.fails(2, "is no availability zone", "create", "--availability-zone", "us-east-1")
    ada.fails(2, "made at aws only", "create", "--provider", "gcp")
    ada.fails(2, "leave the project", "create", "web-shop", "--instance-type", "t2.nano")
    ada.fails(5, "no image", "create", "--image", "000000000000/none-*")
    ada.fails(2, "neither an id", "create", "--image", "ubuntu")
    ada.fails(5, "security group 'mine'", "create", "--security-group", "mine")
    ada.fails(2, "lasts from", "create", "--duration", "1s")
    ada.fails(2, "--duration", "create", "--duration", "long")
    ada.fails(5, "no instance i-00000000000000000", "status", "--instance-id", "i-00000000000000000")
    between.refuse["RunInstances"] = [("VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of 0 allows")]
    ada.fails(3, ["vCPU limit of 0", "higher quota"], "create")
    between.refuse["RunInstances"] = [("InsufficientInstanceCapacity", "We currently do not have sufficient t2.nano capacity")]
    ada.fails(3, "another zone", "create")
    between.refuse["RunInstances"] = [("InvalidGroup.NotFound", "The security group does not exist")]
    ada.ok("create", "--public-key", KEY)          # somebody tidied up in between: made again
    ada.ok("terminate", "--instance-id", running()[0])
    ada.configure("spend_per_hour_max = 0.006")
    ada.ok("create", "--name", "cheap")
    ada.fails(3, ["spend_per_hour_max", "$0.0058"], "create")
    ada.ok("terminate", "--instance-id", "cheap")
    ada.configure('prices = ["t2.nano"]')
    ada.fails(2, "can not be read", "create")
    nobody = Person(between.url, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    nobody.fails(4, "credentials", "create")
    far = Person("http://127.0.0.1:9")
    far.fails(1, "AWS_ENDPOINT_URL", "list", "--provider", "aws")
    for code in ("AuthFailure", "ExpiredToken", "InvalidClientTokenId"):
        between.refuse["DescribeInstanceTypes"] = [(code, "no")] * 2
        Person(between.url).fails(4, ["credentials have expired"] if code == "ExpiredToken" else ["access key or its secret is wrong"], "create")
    expect(not running(), "nothing was left running by all of this")
    by_hand = between.actions()
finally:
    moto.close()

# ---- rights: moto checks them from the third request on
moto = Moto(INITIAL_NO_AUTH_ACTION_COUNT="inf")
try:
    between = Between(moto)
    iam = boto3.client("iam", endpoint_url=moto.url)
    ec2 = boto3.client("ec2", endpoint_url=moto.url)
    policy = json.load(open(os.path.join(ROOT, "deploy", "aws", "instances-policy.json")))
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    expect(by_hand == allowed, f"every call is in the policy and no other: {sorted(by_hand ^ allowed)}")
    iam.create_user(UserName="berth")
    keys = iam.create_access_key(UserName="berth")["AccessKey"]
    person = Person(between.url, AWS_ACCESS_KEY_ID=keys["AccessKeyId"], AWS_SECRET_ACCESS_KEY=keys["SecretAccessKey"])

    def put(actions):
        """moto knows no conditions and few resources: the actions alone are proved."""
        reset("inf")
        iam.put_user_policy(UserName="berth", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}]}))
        reset("0")

    def reset(count):
        urllib.request.urlopen(urllib.request.Request(moto.url + "/moto-api/reset-auth", data=count.encode(), headers={"Content-Type": "text/plain"}, method="POST")).read()

    def whole_life():
        """Every command that calls anything; the first error, or nothing."""
        said = []
        code, out, err = person.run("create", "--public-key", KEY, "-o", "json")
        said.append(err)
        made = json.loads(out)["instance"] if out else None
        for words in ([["stop"], ["extend", "--duration", "2h"], ["terminate"]] if made else []):
            said.append(person.run(words[0], "--instance-id", made, *words[1:])[2])
        said.append(person.run("create", "--security-group", "default", "-o", "json")[2])
        said.append(person.run("service", "--once")[2])
        return "\n".join(said)

    put(allowed)
    said = whole_life()
    expect(" was refused" not in said, f"the shipped policy is enough: {said}")
    for action in sorted(allowed):
        put(allowed - {action})
        said = whole_life()
        expect(f"allow {action} to these credentials" in said, f"without {action}: {said}")
finally:
    moto.close()
print("ok")
