# SPDX-License-Identifier: Apache-2.0
"""Provider aws-ec2 over the wire, against moto; boto3 reads what it did and does what others do behind its back."""
import json
import os
import subprocess
import sys
import tempfile

import boto3

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "aws"))
from amazon import expect  # noqa: E402
from peers import Between, Moto  # noqa: E402

ROOT = os.path.join(os.path.dirname(__file__), "..", "..", "..")
for name in list(os.environ):
    if name.startswith("AWS_"):
        del os.environ[name]
os.environ.update({"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "sk", "AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/none"})
FOLDER = tempfile.mkdtemp(prefix="berth-ec2.")
with open(FOLDER + "/user-data.sh", "w") as file:
    file.write("#!/bin/sh\nexec berth-hostagent\n")
AT = "2026-11-27T12:00:00.000Z"


class Probe:
    def __init__(self, endpoint, config):
        self.child = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "AWS_ENDPOINT_URL": endpoint})
        self.opened = self.say(config)["error"]

    def say(self, what):
        self.child.stdin.write(json.dumps(what) + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def ask(self, what, **rest):
        return self.say({"do": what, **rest})

    def launch(self, *ids):
        return {one["launch"]: one for one in self.ask("launch", pool="default", launches={i: AT for i in ids})}

    def listed(self):
        return {one["instance"]: one for one in self.ask("list")["instances"]}

    def close(self):
        self.child.stdin.close()
        self.child.wait(timeout=60)


def config(template="", policy='cluster = "berth-of-ada"'):
    return f"""[provider.aws]\n{policy}\n[pool.default]\nprovider = "aws-ec2"\nbuffer_unit = "hosts"\nslots_per_host = 1
[pool.default.template]\nimage = "{IMAGE}"\n{template}\n"""


moto = Moto()
try:
    ec2 = boto3.client("ec2", endpoint_url=moto.url)
    between = Between(moto)
    image = next(image for image in ec2.describe_images()["Images"] if image["Architecture"] == "x86_64" and image.get("RootDeviceName"))
    IMAGE = image["ImageId"]

    def machine(instance):
        return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def running():
        return {one["InstanceId"] for page in ec2.describe_instances()["Reservations"] for one in page["Instances"] if one["State"]["Name"] == "running"}

    # ---- somebody else's machines, with and without our words
    stranger = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "berth:cluster", "Value": "another"}, {"Key": "berth:kind", "Value": "host"}]}])["Instances"][0]["InstanceId"]
    by_hand = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "berth:cluster", "Value": "berth-of-ada"}, {"Key": "berth:kind", "Value": "instance"}]}])["Instances"][0]["InstanceId"]

    # ---- launch, list, the same again, also by the next scaler
    group = ec2.create_security_group(GroupName="workers", Description="x", VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"])["GroupId"]
    probe = Probe(between.url, config(f'instance_types = ["t3.large", "m5.large"]\nzones = ["us-east-1a", "us-east-1b"]\nsecurity_groups = ["workers"]\nuser_data = "{FOLDER}/user-data.sh"\nvolume_gib = 50'))
    expect(probe.opened == "" and probe.listed() == {}, probe.opened)
    made = probe.launch("l-1", "l-2")
    expect(not any(one["error"] for one in made.values()), made)
    first, second = made["l-1"]["instance"], made["l-2"]["instance"]
    seen = machine(first)
    tags = {tag["Key"]: tag["Value"] for tag in seen["Tags"]}
    expect((seen["InstanceType"], seen["Placement"]["AvailabilityZone"], seen["SecurityGroups"][0]["GroupId"]) == ("t3.large", "us-east-1a", group), seen)
    expect(tags == {"berth:cluster": "berth-of-ada", "berth:kind": "host", "berth:launch": "l-1", "berth:pool": "default", "Name": "berth-of-ada-default"}, tags)
    form = between.forms("RunInstances")[-1]
    expect(form["MetadataOptions.HttpTokens"] == "required" and form["BlockDeviceMapping.1.Ebs.Encrypted"] == "true" and form["BlockDeviceMapping.1.Ebs.VolumeSize"] == "50", form)
    expect(len(form["ClientToken"]) <= 64, form["ClientToken"])
    listed = probe.listed()
    expect(set(listed) == {first, second} and all(one["pool"] == "default" and one["state"] == "running" and one["protected"] and one["price"] == 83200 for one in listed.values()), listed)
    expect(probe.launch("l-1")["l-1"]["instance"] == first, "the same launch, the same machine")
    probe.ask("again")
    expect(probe.launch("l-2")["l-2"]["instance"] == second and len(running()) == 4, "also for the next scaler")

    # ---- behind its back: stopped, the tags taken away, the type changed, ended
    ec2.stop_instances(InstanceIds=[first])
    expect(probe.listed()[first]["state"] == "stopped", "stopped")
    expect(probe.ask("start", instances=[first]) == [{"instance": first, "error": None}] and first in running(), "and started again")
    expect(probe.ask("stop", instances=[first])[0]["error"] is None and first not in running() and probe.ask("start", instances=[first])[0]["error"] is None, "by us")
    ec2.delete_tags(Resources=[first], Tags=[{"Key": "berth:cluster"}, {"Key": "berth:launch"}])
    told = probe.ask("list")
    expect(first in {one["instance"] for one in told["instances"]} and any("took the tags" in text for text in told["advice"]), told)
    expect({tag["Key"] for tag in machine(first)["Tags"]} >= {"berth:cluster", "berth:launch"}, "its marks are back")
    ec2.stop_instances(InstanceIds=[second])
    ec2.modify_instance_attribute(InstanceId=second, InstanceType={"Value": "t3.nano"})
    told = probe.ask("list")
    expect(any("is a t3.nano" in text for text in told["advice"]), told["advice"])
    ec2.terminate_instances(InstanceIds=[second])
    expect(probe.listed().get(second, {"state": "terminated"})["state"] == "terminated", "ended by somebody")

    # ---- the end of one by its id, and of nothing else
    for other in (stranger, by_hand, "i-00000000000000000"):
        expect(probe.ask("terminate", instance=other)["error"] is None, "what is not ours is not there")
    expect({stranger, by_hand} <= running(), "and is left alone")
    expect(probe.ask("terminate", instance=first)["error"] is None and first not in running(), "ended")
    expect(probe.ask("terminate", instance=first)["error"] is None, "what is ended is ended")
    expect(probe.ask("protect", instances=[first]) == [{"instance": first, "error": None}], "nobody else scales these in")

    # ---- no capacity here: the next zone, the next type, then the reason; a lost answer tries nothing else
    none = ("InsufficientInstanceCapacity", "We currently do not have sufficient capacity")
    between.refuse["RunInstances"] = [none] * 2
    made = probe.launch("l-3")["l-3"]
    expect((machine(made["instance"])["InstanceType"], machine(made["instance"])["Placement"]["AvailabilityZone"]) == ("m5.large", "us-east-1a"), made)
    expect(len({form["ClientToken"] for form in between.forms("RunInstances")[-3:]}) == 3, "each with a token of its own")
    between.refuse["RunInstances"] = [none] * 4
    failed = probe.launch("l-4")["l-4"]
    expect(failed["instance"] == "" and failed["error"]["failure"] == "capacity", failed)
    troubles = probe.ask("list")["troubles"]
    expect([one["zone"] for one in troubles[-4:]] == ["us-east-1a", "us-east-1b"] * 2 and troubles[-1]["failure"] == "capacity", troubles)
    for code, kind, says in (("VcpuLimitExceeded", "quota", "higher quota"), ("UnauthorizedOperation", "permission", "allow ec2:RunInstances"), ("InvalidParameterValue", "configuration", "[template]"),
                             ("IdempotentParameterMismatch", "lost", "another template")):
        between.refuse["RunInstances"] = [(code, "no")] * 4
        failed = probe.launch("l-5")["l-5"]["error"]
        expect(failed["failure"] == kind and says in failed["text"], failed)
        expect(len(between.refuse["RunInstances"]) == (0 if kind == "quota" else 3), "nothing else is tried, but for quota and capacity")
    between.refuse["RunInstances"] = []
    probe.close()

    # ---- spot, and on demand where there is none; a key; the budget
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDMwXpiNEr3wZjbIX2Uq789xpMYGkJYs+dGrnMLRY1W8 ada@laptop"
    with open(FOLDER + "/id.pub", "w") as file:
        file.write(key)
    probe = Probe(between.url, config(f'spot = true\npublic_key = "{FOLDER}/id.pub"', 'cluster = "berth-of-ada"\nspend_per_hour_max = 0.25'))
    made = probe.launch("l-6")["l-6"]
    expect(made["error"] is None, made)
    made = made["instance"]
    expect(machine(made)["InstanceLifecycle"] == "spot" and machine(made)["KeyName"].startswith("berth-of-ada-"), machine(made))
    between.refuse["RunInstances"] = [("MaxSpotInstanceCountExceeded", "no")]
    told = probe.launch("l-7", "l-8")
    expect([bool(one["error"]) for one in told.values()] == [False, True], f"the spot one costs what its market says; one on demand beside it, and the next is over the budget: {told}")
    expect("spend_per_hour_max is $0.250" in told["l-8"]["error"]["text"] and told["l-8"]["error"]["failure"] == "quota", told)
    expect("InstanceLifecycle" not in machine(told["l-7"]["instance"]), "on demand where there is no spot")
    for one in probe.listed():
        probe.ask("terminate", instance=one)
    expect(probe.launch("l-9")["l-9"]["error"] is None, "what has ended costs nothing")
    probe.close()

    # ---- what can not be: said before anything is launched
    for wrong, says in ((config(policy=""), "a mark of this berth's own"), (config('instance_types = []'), "instance_types is empty"), (config('public_key = "/none.pub"'), "/none.pub"),
                        (config('user_data = "/none.sh"'), "/none.sh"), (config(policy='cluster = "mine"\nprices = ["x"]'), "price 'x'")):
        refused = Probe(between.url, wrong)
        expect(says in refused.opened, refused.opened)
        refused.child.stdin.close()
        refused.child.wait(timeout=60)

    # ---- every call is in the shipped policy, and nothing else stands there
    policy = json.load(open(os.path.join(ROOT, "deploy", "aws", "ec2-policy.json")))
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    expect(between.actions() == allowed, sorted(between.actions() ^ allowed))
finally:
    moto.close()
print("ok")
