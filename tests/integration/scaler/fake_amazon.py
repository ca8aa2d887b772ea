# SPDX-License-Identifier: Apache-2.0
"""An Auto Scaling group with faults, over Amazon's own wire: what moto cannot do (slow boots, quotas, activities,
paging, hooks, throttling, old answers, lost answers). Time passes in it only by tick(). It is proved with boto3
before anything of ours meets it."""
import datetime
import random
import threading
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

EC2 = {"Pending": "pending", "InService": "running", "Terminating": "shutting-down", "Terminating:Wait": "running", "Terminated": "terminated"}

DETAILS = escape('{"Subnet ID":"subnet-1","Availability Zone":"us-east-1a"}')


class Faults:
    def __init__(self):
        self.throttle = 0.0        # of calls: refused
        self.lost = 0.0            # of calls: done, and no answer
        self.broken = 0.0          # of calls: not done, HTTP 500
        self.old = 0.0             # of readings: as it was some ticks ago
        self.quota = 0             # machines that the account may have; 0: as many as you like
        self.capacity = True
        self.denied = set()        # actions


class Group:
    def __init__(self, faults, seed=0):
        self.name, self.min, self.max, self.desired = "workers", 0, 20, 0
        self.members, self.ended, self.tags = {}, [], {}
        self.activities, self.hooks, self.policies, self.suspended = [], [], [], set()
        self.protects_new, self.boot_ticks = False, 2
        self.page = 100
        self.spot, self.spot_prices_asked = "", 0      # dollars per hour; empty: on demand
        self.faults, self.chance = faults, random.Random(seed)
        self.count, self.launched = 0, 0
        self.written = []          # (action, parameters) of all that changes something
        self.past = []
        self.lock = threading.RLock()
        self.exists = True

    # ---- what the group does by itself
    def live(self):
        return [i for i, m in self.members.items() if m["state"] in ("Pending", "InService")]

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc)

    def tick(self):
        with self.lock:
            self.past = (self.past + [(self.desired, {i: dict(m) for i, m in self.members.items()})])[-4:]
            for name, member in list(self.members.items()):
                member["ticks"] += 1
                if member["state"] == "Pending" and member["ticks"] >= self.boot_ticks:
                    member["state"] = "InService"
                elif member["state"] == "Terminating":
                    if self.hooks and not member["completed"]:
                        member["state"] = "Terminating:Wait"
                    else:
                        self.members.pop(name)
                        self.ended.append(name)
            while len(self.live()) < self.desired and "Launch" not in self.suspended:
                if not self.launch_one():
                    break
            extra = len(self.live()) - self.desired
            for name in sorted(self.live())[:]:
                if extra <= 0:
                    break
                if not self.members[name]["protected"]:
                    self.members[name].update(state="Terminating", by="group")
                    extra -= 1

    def age(self, seconds):
        for member in self.members.values():
            member["launched"] -= datetime.timedelta(seconds=seconds)

    def launch_one(self):
        words = None
        if self.faults.quota and len(self.members) >= self.faults.quota:
            words = (f"You have requested more vCPU capacity than your current vCPU limit of {self.faults.quota} allows for the instance bucket that the "
                     "specified instance type belongs to. Launching EC2 instance failed.")
        elif not self.faults.capacity:
            words = "We currently do not have sufficient m5.large capacity in the Availability Zone you requested (us-east-1a). Launching EC2 instance failed."
        self.count += 1
        self.activities.insert(0, {"id": f"a-{self.count}", "status": "Failed" if words else "Successful", "words": words or "", "at": self.now()})
        if words:
            return False
        self.launched += 1
        name = f"i-{self.launched:017x}"
        self.members[name] = {"state": "Pending", "ticks": 0, "protected": self.protects_new, "launched": self.now(), "completed": False, "by": "", "ec2": ""}
        return True

    # ---- the wire
    def answer(self, seen):
        form = dict(parse_qsl(seen.body.decode(), keep_blank_values=True))
        action = form.pop("Action")
        form.pop("Version")
        reads = action.startswith("Describe")
        with self.lock:
            if action in self.faults.denied:
                return self.error("UnauthorizedOperation" if "ec2" in seen.headers["authorization"] else "AccessDenied", f"not allowed: {action}", 403)
            if self.chance.random() < self.faults.throttle:
                return self.error("Throttling", "Rate exceeded", 400)
            if self.chance.random() < self.faults.broken:
                return self.error("InternalFailure", "?", 500)
            if not reads:
                self.written.append((action, form))
            answered = getattr(self, action)(form)
            if self.chance.random() < self.faults.lost:
                return None
            if isinstance(answered, tuple):
                return answered
            inner = answered if "/ec2/" in seen.headers.get("authorization", "") else f"<{action}Result>{answered}</{action}Result>"
            return 200, {}, f"<{action}Response>{inner}<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"

    @staticmethod
    def error(code, message, status):
        return status, {}, f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error><RequestId>r</RequestId></ErrorResponse>"

    def state(self):
        if self.past and self.chance.random() < self.faults.old:
            return self.chance.choice(self.past)
        return self.desired, self.members

    def DescribeAutoScalingGroups(self, form):
        if not self.exists or form.get("AutoScalingGroupNames.member.1", self.name) != self.name:
            return "<AutoScalingGroups/>"
        desired, members = self.state()
        listed = "".join(f"<member><InstanceId>{i}</InstanceId><LifecycleState>{m['state']}</LifecycleState><AvailabilityZone>us-east-1a</AvailabilityZone>"
                         f"<HealthStatus>Healthy</HealthStatus><ProtectedFromScaleIn>{str(m['protected']).lower()}</ProtectedFromScaleIn></member>"
                         for i, m in members.items())
        suspended = "".join(f"<member><ProcessName>{p}</ProcessName><SuspensionReason>x</SuspensionReason></member>" for p in sorted(self.suspended))
        return (f"<AutoScalingGroups><member><AutoScalingGroupName>{self.name}</AutoScalingGroupName><MinSize>{self.min}</MinSize><MaxSize>{self.max}</MaxSize>"
                f"<DesiredCapacity>{desired}</DesiredCapacity><DefaultCooldown>300</DefaultCooldown><AvailabilityZones><member>us-east-1a</member></AvailabilityZones>"
                f"<HealthCheckType>EC2</HealthCheckType><CreatedTime>2026-01-01T00:00:00Z</CreatedTime><Instances>{listed}</Instances>"
                f"<SuspendedProcesses>{suspended}</SuspendedProcesses><NewInstancesProtectedFromScaleIn>{str(self.protects_new).lower()}"
                "</NewInstancesProtectedFromScaleIn></member></AutoScalingGroups>")

    def SetDesiredCapacity(self, form):
        wanted = int(form["DesiredCapacity"])
        if not self.min <= wanted <= self.max:
            return self.error("ValidationError", f"New SetDesiredCapacity value {wanted} is above max value {self.max} for the AutoScalingGroup.", 400)
        if form.get("HonorCooldown") == "true":
            return self.error("ScalingActivityInProgress", "cooldown", 400)
        self.desired = wanted
        return ""

    def TerminateInstanceInAutoScalingGroup(self, form):
        member = self.members.get(form["InstanceId"])
        if member is None:
            return self.error("ValidationError", f"Instance Id not found - No managed instance found for instance ID: {form['InstanceId']}", 400)
        if form["ShouldDecrementDesiredCapacity"] == "true":
            if self.desired <= self.min:
                return self.error("ValidationError", "Currently, desiredSize equals minSize. Terminating instance without replacement will violate group's min size constraint.", 400)
            self.desired -= 1          # also of one that is ending already: Amazon's own caller has to know
        if member["state"] in ("Pending", "InService"):
            member.update(state="Terminating", by="us")
        return "<Activity><ActivityId>x</ActivityId><AutoScalingGroupName>g</AutoScalingGroupName><Cause>c</Cause><StartTime>2026-01-01T00:00:00Z</StartTime><StatusCode>InProgress</StatusCode></Activity>"

    def SetInstanceProtection(self, form):
        names = [v for k, v in form.items() if k.startswith("InstanceIds.member.")]
        for name in names:
            if name not in self.members or self.members[name]["state"] != "InService":
                return self.error("ValidationError", f"The instance {name} is not in InService or EnteringStandby or Standby.", 400)
        for name in names:
            self.members[name]["protected"] = form["ProtectedFromScaleIn"] == "true"
        return ""

    def DescribeScalingActivities(self, form):
        start = int(form.get("NextToken", "0"))
        part = self.activities[start:start + self.page]
        more = f"<NextToken>{start + self.page}</NextToken>" if start + self.page < len(self.activities) else ""
        return "<Activities>" + "".join(
            f"<member><ActivityId>{a['id']}</ActivityId><AutoScalingGroupName>{self.name}</AutoScalingGroupName><Description>Launching a new EC2 instance</Description>"
            f"<Cause>c</Cause><StartTime>{a['at'].isoformat().replace('+00:00', 'Z')}</StartTime><EndTime>{a['at'].isoformat().replace('+00:00', 'Z')}</EndTime>"
            f"<StatusCode>{a['status']}</StatusCode><StatusMessage>{escape(a['words'])}</StatusMessage><Progress>100</Progress>"
            f"<Details>{DETAILS}</Details></member>"
            for a in part) + "</Activities>" + more

    def DescribeLifecycleHooks(self, form):
        return "<LifecycleHooks>" + "".join(f"<member><LifecycleHookName>{h}</LifecycleHookName><AutoScalingGroupName>{self.name}</AutoScalingGroupName>"
                                            "<LifecycleTransition>autoscaling:EC2_INSTANCE_TERMINATING</LifecycleTransition></member>" for h in self.hooks) + "</LifecycleHooks>"

    def RecordLifecycleActionHeartbeat(self, form):
        return ""

    def CompleteLifecycleAction(self, form):
        member = self.members.get(form["InstanceId"])
        if member is None or member["state"] != "Terminating:Wait":
            return self.error("ValidationError", "No active Lifecycle Action found with instance ID " + form["InstanceId"], 400)
        member.update(state="Terminating", completed=True)
        return ""

    def DescribePolicies(self, form):
        return "<ScalingPolicies>" + "".join(f"<member><PolicyName>{p}</PolicyName></member>" for p in self.policies) + "</ScalingPolicies>"

    def DescribeScheduledActions(self, form):
        return "<ScheduledUpdateGroupActions/>"

    def DescribeInstances(self, form):
        names = [v for k, v in form.items() if k.startswith("Filter.1.Value")]
        _, members = self.state()
        if form["Filter.1.Name"] == "tag:berth:launch":
            names = [i for i, tags in self.tags.items() if tags.get("berth:launch") in names]
            members = self.members
        items = ""
        for name in names:
            member = members.get(name)
            if member is None:
                continue
            tags = "".join(f"<item><key>{k}</key><value>{v}</value></item>" for k, v in self.tags.get(name, {}).items())
            items += (f"<item><reservationId>r-1</reservationId><instancesSet><item><instanceId>{name}</instanceId><instanceType>m5.large</instanceType>"
                      f"<instanceState><code>16</code><name>{member['ec2'] or EC2[member['state']]}</name></instanceState><privateIpAddress>10.0.0.{int(name[2:], 16) % 250}</privateIpAddress>"
                      f"{'<instanceLifecycle>spot</instanceLifecycle>' if self.spot else ''}"
                      f"<launchTime>{member['launched'].isoformat().replace('+00:00', 'Z')}</launchTime><placement><availabilityZone>us-east-1a</availabilityZone></placement>"
                      f"<tagSet>{tags}</tagSet></item></instancesSet></item>")
        return f"<reservationSet>{items}</reservationSet>"

    def DescribeSpotPriceHistory(self, form):
        self.spot_prices_asked += 1
        return "<spotPriceHistorySet>" + "".join(
            f"<item><instanceType>m5.large</instanceType><productDescription>Linux/UNIX</productDescription><spotPrice>{price}</spotPrice>"
            f"<timestamp>2026-11-27T{hour}:00:00.000Z</timestamp><availabilityZone>{zone}</availabilityZone></item>"
            for zone, hour, price in (("us-east-1a", "08", "0.09"), ("us-east-1a", "09", self.spot), ("us-east-1a", "07", "0.08"), ("us-east-1b", "10", "0.07"),
                                      ("us-east-1c", "10", "free"))) + "</spotPriceHistorySet>"

    def CreateTags(self, form):
        for n in range(1, 10):
            if f"Tag.{n}.Key" in form:
                self.tags.setdefault(form["ResourceId.1"], {})[form[f"Tag.{n}.Key"]] = form[f"Tag.{n}.Value"]
        return "<return>true</return>"

    def StartInstances(self, form):
        for key, name in form.items():
            if key.startswith("InstanceId."):
                self.members[name]["ec2"] = ""
        return "<instancesSet/>"

    def StopInstances(self, form):
        for key, name in form.items():
            if key.startswith("InstanceId."):
                self.members[name]["ec2"] = "stopped"
        return "<instancesSet/>"
