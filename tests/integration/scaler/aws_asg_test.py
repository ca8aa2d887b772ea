# SPDX-License-Identifier: Apache-2.0
"""Provider aws-asg over the wire: first against a group in moto that boto3 made, then against our own group with
faults, which boto3 has to understand before. At the end a thousand random moves with every fault: what was named,
and nothing else, has ended; no launch brought two machines; the desired number fell only with a named victim."""
import datetime
import json
import os
import random
import re
import subprocess
import sys
import threading

import boto3

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "aws"))
from amazon import Server, expect  # noqa: E402
from fake_amazon import Faults, Group  # noqa: E402

KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "sk", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/none"}
for name in list(os.environ):
    if name.startswith("AWS_"):
        del os.environ[name]
os.environ.update({**KEYS, "AWS_DEFAULT_REGION": "us-east-1"})
CONFIG = '[pool.default]\nprovider = "aws-asg"\nbuffer_unit = "hosts"\nslots_per_host = 1\n[pool.default.template]\ngroup = "workers"\n'


class Probe:
    def __init__(self, endpoint, config=CONFIG, **environment):
        self.child = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, "AWS_ENDPOINT_URL": endpoint, **environment})
        self.opened = self.say(config)

    def say(self, what):
        self.child.stdin.write(json.dumps(what) + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def ask(self, what, **rest):
        return self.say({"do": what, **rest})

    def close(self):
        self.child.stdin.close()
        self.child.wait(timeout=60)


def now(seconds=0):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def launch(probe, *ids, at=None):
    return {one["launch"]: one for one in probe.ask("launch", pool="default", launches={i: at or now() for i in ids})}


# ---- moto: a group that boto3 made
# moto says on stderr where it listens; port 0 is a free one.
moto = subprocess.Popen([os.path.join(os.path.dirname(sys.executable), "moto_server"), "-H", "127.0.0.1", "-p", "0"], stderr=subprocess.PIPE, text=True)
try:
    url = None
    for line in moto.stderr:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            url = found.group(0)
            break
    expect(url, "moto runs")
    threading.Thread(target=moto.stderr.read, daemon=True).start()      # it says each request
    autoscaling, ec2 = (boto3.client(service, endpoint_url=url) for service in ("autoscaling", "ec2"))
    image = ec2.describe_images()["Images"][0]["ImageId"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.create_launch_template(LaunchTemplateName="workers", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.medium"})
    autoscaling.create_auto_scaling_group(AutoScalingGroupName="workers", LaunchTemplate={"LaunchTemplateName": "workers", "Version": "$Latest"}, MinSize=0, MaxSize=5,
                                          DesiredCapacity=0, VPCZoneIdentifier=subnet)
    autoscaling.create_auto_scaling_group(AutoScalingGroupName="others", LaunchTemplate={"LaunchTemplateName": "workers", "Version": "$Latest"}, MinSize=2, MaxSize=5,
                                          DesiredCapacity=2, VPCZoneIdentifier=subnet)

    def group():
        return autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["workers"])["AutoScalingGroups"][0]

    probe = Probe(url)
    expect(probe.opened["error"] == "", probe.opened)
    listed = probe.ask("list")
    expect(listed.get("instances") == [] and listed["complete"], listed)
    expect(any("AZRebalance" in text and "suspend-processes" in text for text in listed["advice"]), listed["advice"])

    outcome = launch(probe, "l-1", "l-2")
    expect(not any(one["error"] for one in outcome.values()) and group()["DesiredCapacity"] == 2, outcome)
    listed = probe.ask("list")["instances"]
    expect(sorted(one["launch"] for one in listed) == ["l-1", "l-2"] and all(one["state"] == "running" and one["pool"] == "default" and one["price"] == 41600 for one in listed), listed)
    tags = {t["Key"]: t["Value"] for t in ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [listed[0]["instance"]]}])["Tags"]}
    expect(tags["berth:launch"] == listed[0]["launch"] and tags["berth:pool"] == "default", tags)
    again = launch(probe, "l-1")
    expect(again["l-1"]["instance"] == [one["instance"] for one in listed if one["launch"] == "l-1"][0] and group()["DesiredCapacity"] == 2, "the same token: the same instance")
    probe.ask("again")
    again = launch(probe, "l-2")
    expect(again["l-2"]["instance"] == [one["instance"] for one in listed if one["launch"] == "l-2"][0] and group()["DesiredCapacity"] == 2, "also for the next scaler")

    names = [one["instance"] for one in listed]
    expect(all(not one["error"] for one in probe.ask("protect", instances=names)), "protected")
    expect(all(one["ProtectedFromScaleIn"] for one in group()["Instances"]), "boto3 sees it")
    expect(probe.ask("terminate", instance=names[0])["error"] is None, "ended")
    left = group()
    expect(left["DesiredCapacity"] == 1 and [one["InstanceId"] for one in left["Instances"]] == [names[1]], left)
    expect(probe.ask("terminate", instance=names[0])["error"] is None and group()["DesiredCapacity"] == 1, "what is gone is ended")
    outsider = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["others"])["AutoScalingGroups"][0]["Instances"][0]["InstanceId"]
    probe.ask("terminate", instance=outsider)
    expect(autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["others"])["AutoScalingGroups"][0]["DesiredCapacity"] == 2, "another group's machine is not ours")

    outcome = launch(probe, *[f"l-{n}" for n in range(10, 16)])
    full = [one for one in outcome.values() if one["error"]]
    expect(group()["DesiredCapacity"] == 5 and len(full) == 2 and all("raise its MaxSize" in one["error"]["text"] for one in full), outcome)
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName="workers", ForceDelete=True)
    listed = probe.ask("list")
    expect("there is no Auto Scaling group 'workers' in us-east-1" in listed["error"]["text"], "a group that is not found is no empty one")
    probe.close()
finally:
    moto.kill()                                          # it keeps nothing, and waits for its clients when asked
    moto.wait(timeout=30)

# ---- our own group; boto3 first
faults = Faults()
fake = Group(faults)
server = Server(fake.answer)
theirs = boto3.client("autoscaling", endpoint_url=server.url)
fake.hooks = ["drain"]
theirs.set_desired_capacity(AutoScalingGroupName="workers", DesiredCapacity=2)
fake.tick()
seen = theirs.describe_auto_scaling_groups(AutoScalingGroupNames=["workers"])["AutoScalingGroups"][0]
expect(seen["DesiredCapacity"] == 2 and [one["LifecycleState"] for one in seen["Instances"]] == ["Pending", "Pending"], seen)
fake.page = 1
expect(len(theirs.get_paginator("describe_scaling_activities").paginate(AutoScalingGroupName="workers").build_full_result()["Activities"]) == 2, "all pages")
fake.page = 100
fake.tick()
fake.tick()
theirs.set_instance_protection(AutoScalingGroupName="workers", InstanceIds=[seen["Instances"][0]["InstanceId"]], ProtectedFromScaleIn=True)
theirs.terminate_instance_in_auto_scaling_group(InstanceId=seen["Instances"][0]["InstanceId"], ShouldDecrementDesiredCapacity=True)
fake.tick()
expect(theirs.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"][0]["LifecycleState"] == "Terminating:Wait", "its hook holds it")
theirs.complete_lifecycle_action(AutoScalingGroupName="workers", LifecycleHookName="drain", InstanceId=seen["Instances"][0]["InstanceId"], LifecycleActionResult="CONTINUE")
ours = boto3.client("ec2", endpoint_url=server.url)
ours.create_tags(Resources=[seen["Instances"][1]["InstanceId"]], Tags=[{"Key": "a", "Value": "b"}])
machine = ours.describe_instances(Filters=[{"Name": "instance-id", "Values": [seen["Instances"][1]["InstanceId"]]}])["Reservations"][0]["Instances"][0]
expect(machine["Tags"] == [{"Key": "a", "Value": "b"}] and machine["State"]["Name"] == "running", machine)
server.close()


def scene(config=CONFIG, **facts):
    """A group of its own, and a provider for it."""
    group_faults = Faults()
    made = Group(group_faults, seed=facts.pop("seed", 0))
    for name, value in facts.items():
        setattr(made, name, value)
    wire = Server(made.answer)
    return made, group_faults, wire, Probe(wire.url, config)


def end(wire, probe):
    probe.close()
    wire.close()


# ---- slow boots: accepted without an instance, named by a listing
fake, faults, server, probe = scene()
outcome = launch(probe, "l-1", "l-2", "l-3")
expect(all(one["instance"] == "" and one["error"] is None for one in outcome.values()) and fake.desired == 3, outcome)
launch(probe, "l-1", "l-4")
expect(fake.desired == 4, "what was asked for is not asked for twice")
fake.tick()
listed = probe.ask("list")["instances"]
expect(sorted(one["launch"] for one in listed) == ["l-1", "l-2", "l-3", "l-4"] and {one["state"] for one in listed} == {"pending"}, listed)
expect(all(one["protected"] for one in listed), "what is not in service yet can not be protected, so nobody is told to")
fake.tick()
fake.tick()
expect({(one["state"], one["protected"]) for one in probe.ask("list")["instances"]} == {("running", False)}, "then it is")
end(server, probe)

# ---- the three examples of requirement 11: from the desired number, clamped, never a blind shrink
for total, more, least in ((10, 3, 13), (8, 4, 12), (15, 0, 15)):
    fake, faults, server, probe = scene(desired=total)
    fake.tick()
    fake.age(600)                                        # they have been there for long
    probe.ask("list")
    if more:
        launch(probe, *[f"l-{n}" for n in range(more)])
    expect(fake.desired == least, f"{total} + {more}")
    end(server, probe)
fake, faults, server, probe = scene(desired=6)           # four of which have not come yet
fake.faults.quota = 2
fake.tick()
fake.activities.clear()
launch(probe, "l-1")
expect(fake.desired == 6, "what is on its way already counts")
end(server, probe)

# ---- the budget: the first machine tells what one costs (m5.large: $0.096), then no more than may be spent
fake, faults, server, probe = scene(config=CONFIG + "[provider.aws]\nspend_per_hour_max = 0.2\n")
outcome = launch(probe, "l-1", "l-2", "l-3")
expect(fake.desired == 1 and len([one for one in outcome.values() if one["error"] is None]) == 1, outcome)
for _ in range(3):
    fake.tick()
probe.ask("list")
outcome = launch(probe, "l-4", "l-5", "l-6")
refused_ones = [one["error"] for one in outcome.values() if one["error"]]
expect(fake.desired == 2 and len(refused_ones) == 2 and {one["failure"] for one in refused_ones} == {"quota"}, outcome)
expect("another machine of group workers costs $0.096, and [provider.aws] spend_per_hour_max is $0.200" in refused_ones[0]["text"], refused_ones)
end(server, probe)

# ---- spot machines cost what their zone's market says now; asked for rarely; without the right, as on demand
fake, faults, server, probe = scene(desired=1, spot="0.0314")
for _ in range(3):
    fake.tick()
expect([probe.ask("list")["instances"][0]["price"] for _ in range(3)] == [31400] * 3 and fake.spot_prices_asked == 1, fake.spot_prices_asked)
ours = boto3.client("ec2", endpoint_url=server.url)
history = ours.describe_spot_price_history(InstanceTypes=["m5.large"])["SpotPriceHistory"]
expect({one["SpotPrice"] for one in history if one["AvailabilityZone"] == "us-east-1a"} == {"0.0314", "0.09", "0.08"}, "boto3 reads the same")
probe.ask("again")
faults.denied = {"DescribeSpotPriceHistory"}
expect(probe.ask("list")["instances"][0]["price"] == 96000, "counted as on demand")
end(server, probe)

# ---- quota and capacity stand only in the group's records; trying again asks for no more machines
for broken, kind in (("quota", "quota"), ("capacity", "capacity")):
    fake, faults, server, probe = scene()
    if broken == "quota":
        faults.quota = 1
    else:
        faults.capacity = False
    launch(probe, "l-1", "l-2")
    fake.tick()
    fake.page = 1
    for n in range(3, 9):
        troubles = probe.ask("list")["troubles"]
        expect(troubles and {one["failure"] for one in troubles} == {kind} and troubles[-1]["zone"] == "us-east-1a", troubles)
        launch(probe, f"l-{n}")
        fake.tick()
    expect(fake.desired == 2, fake.desired)
    end(server, probe)

# ---- hooks: a machine that the group ends waits while its host drains
fake, faults, server, probe = scene(hooks=["drain"], desired=2)
for _ in range(3):
    fake.tick()
probe.ask("list")
fake.desired = 1                                         # somebody else
for _ in range(3):
    fake.tick()
listed = probe.ask("list")
going = [{"instance": i} for i, m in fake.members.items() if m["state"] == "Terminating:Wait"]
expect(len(going) == 1 and any(f"group workers is ending {going[0]['instance']}" in text for text in listed["advice"]), listed)
expect({one["state"] for one in listed["instances"]} == {"running"}, "it runs until its hook is completed")
expect(any("somebody else set the desired number of group workers from 2 to 1" in text for text in listed["advice"]), listed["advice"])
expect(("RecordLifecycleActionHeartbeat") in [action for action, _ in fake.written], "its hook hears that we are at it")
expect(probe.ask("terminate", instance=going[0]["instance"])["error"] is None and fake.members[going[0]["instance"]]["completed"] and fake.desired == 1, "completed, not lowered twice")
end(server, probe)

# ---- somebody else set the number below what runs, which is protected: a sealed host goes all the same
fake, faults, server, probe = scene(desired=3)
for _ in range(3):
    fake.tick()
names = [one["instance"] for one in probe.ask("list")["instances"]]
probe.ask("protect", instances=names)
fake.desired = 0
fake.tick()
expect(len(fake.live()) == 3, "protected, the group ends none")
expect(probe.ask("terminate", instance=names[0])["error"] is None and fake.members[names[0]]["by"] == "us", "below MinSize it would not be lowered")
for _ in range(3):
    fake.tick()
expect(fake.desired == 0 and sorted(fake.members) == names[1:], "and nothing comes in its place")
end(server, probe)

# ---- stopped behind our back
fake, faults, server, probe = scene(desired=1)
for _ in range(3):
    fake.tick()
name = next(iter(fake.members))
fake.members[name]["ec2"] = "stopped"
expect(probe.ask("list")["instances"][0]["state"] == "stopped", "seen")
expect(probe.ask("start", instances=[name]) == [{"instance": name, "error": None}] and probe.ask("list")["instances"][0]["state"] == "running", "started")
end(server, probe)

# ---- each permission in turn: one line that names it
fake, faults, server, probe = scene(desired=2, hooks=["drain"])
for _ in range(3):
    fake.tick()
fake.age(600)
probe.ask("list")
name = sorted(fake.members)[0]
for action, act in (("DescribeAutoScalingGroups", lambda: probe.ask("list")["error"]), ("DescribeInstances", lambda: probe.ask("list")["error"]),
                    ("DescribeScalingActivities", lambda: probe.ask("list")["error"]), ("SetDesiredCapacity", lambda: launch(probe, "l-9")["l-9"]["error"]),
                    ("SetInstanceProtection", lambda: probe.ask("protect", instances=[name])[0]["error"]),
                    ("TerminateInstanceInAutoScalingGroup", lambda: probe.ask("terminate", instance=name)["error"]),
                    ("StartInstances", lambda: probe.ask("start", instances=[name])[0]["error"])):
    faults.denied = {action}
    got = act()
    service = "ec2" if action.endswith("Instances") else "autoscaling"
    expect(got["failure"] == "permission" and f"allow {service}:{action} to these credentials" in got["text"], f"{action}: {got}")
    faults.denied = set()
for action in ("DescribeLifecycleHooks", "DescribePolicies", "DescribeScheduledActions"):
    faults.denied = {action}
    probe.ask("again")
    expect(f"allow autoscaling:{action}" in probe.ask("list")["error"]["text"], action)
faults.denied = set()
end(server, probe)

# ---- settings and groups that are not as they should be
fake, faults, server, probe = scene(desired=1, min=1, policies=["cpu"], suspended={"Launch"})
fake.suspended = set()
fake.tick()
fake.suspended = {"Launch"}
text = "\n".join(probe.ask("list")["advice"])
for part in ("AZRebalance", "ReplaceUnhealthy", "Launch is suspended", "new instances are not protected", "cpu also write its desired number", "has no termination hook"):
    expect(part in text, f"{part} in {text}")
expect("is suspended; aws autoscaling resume-processes" in launch(probe, "l-1")["l-1"]["error"]["text"], "nothing is promised")
expect("has MinSize 1" in probe.ask("terminate", instance=next(iter(fake.members)))["error"]["text"] and fake.desired == 1, "said before it is tried")
fake.exists = False
expect("there is no Auto Scaling group" in launch(probe, "l-2")["l-2"]["error"]["text"], "deleted by hand")
end(server, probe)
for config, words in ((CONFIG.replace('group = "workers"', ""), "group is missing"), (CONFIG.replace("group =", "grup ="), "unknown key 'grup'"),
                      (CONFIG + 'region = "us-east-1a"\n', "its region is us-east-1"),
                      (CONFIG + '[pool.two]\nprovider = "aws-asg"\n[pool.two.template]\ngroup = "workers"\n', "is another pool's already")):
    probe = Probe(server.url, config)
    expect(words in probe.opened["error"], f"{words}: {probe.opened}")
    probe.close()
probe = Probe(server.url, CONFIG.replace('group = "workers"', ""), ASG_NAME="workers")
expect(probe.opened["error"] == "", "a seed's name is taken")
expect(probe.ask("list")["error"]["failure"] == "lost", "nobody there: nothing is known")
probe.close()

# ---- a thousand random moves
seed = random.randrange(1 << 32)
chance = random.Random(seed)
print("reproduce: seed", seed)
fake, faults, server, probe = scene(seed=seed, max=12, desired=3, hooks=["drain"])
for _ in range(3):
    fake.tick()
faults.throttle, faults.lost, faults.broken, faults.old = 0.05, 0.05, 0.05, 0.2
wanted, named, pending = [], set(), []
last = 0
for move in range(1000):
    what = chance.random()
    if what < 0.15:
        ids = [f"l-{last + n + 1}" for n in range(1 + chance.randrange(3))]
        last += len(ids)
        pending = (pending + [(i, now()) for i in ids])[-6:]
    if what < 0.35 and pending:
        outcome = probe.ask("launch", pool="default", launches=dict(pending))
        expect({one["launch"] for one in outcome} >= set() and all(one["error"] is None or one["error"]["text"] for one in outcome), outcome)
        done = {one["launch"] for one in outcome if one["instance"] or (one["error"] and one["error"]["failure"] not in ("lost", "throttle"))}
        pending = [one for one in pending if one[0] not in done]
    elif what < 0.55:
        probe.ask("list")
    elif what < 0.65:
        running = [i for i, m in fake.members.items() if m["state"] == "InService"]
        if running:
            victim = chance.choice(running)
            named.add(victim)
            probe.ask("terminate", instance=victim)
    elif what < 0.75:
        running = [i for i, m in fake.members.items() if m["state"] == "InService"]
        probe.ask("protect", instances=running)
    elif what < 0.77:
        probe.ask("again")
    else:
        fake.tick()
launches = {}
for name, tags in fake.tags.items():
    if "berth:launch" in tags:
        expect(tags["berth:launch"] not in launches, f"{tags['berth:launch']} brought {name} and {launches.get(tags['berth:launch'])}")
        launches[tags["berth:launch"]] = name
by_us = [form["InstanceId"] for action, form in fake.written if action == "TerminateInstanceInAutoScalingGroup"]
expect(set(by_us) <= named, "only what was named")
expect(all(form["ShouldDecrementDesiredCapacity"] == "true" for action, form in fake.written if action == "TerminateInstanceInAutoScalingGroup"), "each with the decrement")
expect(set(fake.ended) - named == {i for i in fake.ended if i not in named and i not in by_us}, "the rest was the group's own")
numbers = [int(form["DesiredCapacity"]) for action, form in fake.written if action == "SetDesiredCapacity"]
expect(all(0 <= n <= 12 for n in numbers), numbers)
expect(fake.launched <= 3 + last + len([1 for i in by_us]), f"{fake.launched} machines for {last} launches and {len(by_us)} ends")
end(server, probe)
print(f"1000 moves: {last} launches, {len(launches)} matched, {fake.launched} machines, {len(named)} named and {len(fake.ended)} ended")

# ---- every call that the provider can make is in the shipped policy, and no other
root = os.path.join(os.path.dirname(__file__), "..", "..", "..")
called = set()
of_the_room = {"aws::describe(": "DescribeInstances", "aws::set_tags(": "CreateTags"}
for name in set(os.listdir(root + "/scaler/providers/aws")) - {"ec2.cpp", "ec2.hpp"}:      # aws-ec2 has a policy of its own
    with open(f"{root}/scaler/providers/aws/{name}", encoding="utf-8") as file:
        text = file.read()
    called |= set(re.findall(r'"((?:Describe|Set|Terminate|Complete|Record|Create|Start|Stop|Run|Delete|Modify|Put)[A-Z][A-Za-z]+)"', text))
    called |= {action for words, action in of_the_room.items() if words in text}
with open(root + "/deploy/aws/policy.json", encoding="utf-8") as file:
    allowed = {action.split(":")[1] for statement in json.load(file)["Statement"] for action in statement["Action"]}
called.discard("StartTime")                                # a field
expect(called == allowed, f"called and not allowed: {called - allowed}; allowed and never called: {allowed - called}")

import amazon  # noqa: E402
print(amazon.passed, "expectations held")
