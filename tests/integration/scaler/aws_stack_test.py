# SPDX-License-Identifier: Apache-2.0
"""deploy/aws/template.yaml: linted, then made for real by moto's CloudFormation, read by boto3, and grown and shrunk by
provider aws-asg with nothing but what the stack's outputs say."""
import base64
import datetime
import json
import os
import subprocess
import sys
import urllib.parse

import boto3

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "aws"))
from amazon import expect  # noqa: E402
from peers import Moto  # noqa: E402

DEPLOY = os.path.join(os.path.dirname(__file__), "..", "..", "..", "deploy", "aws")
TEMPLATE = os.path.join(DEPLOY, "template.yaml")
for name in list(os.environ):
    if name.startswith("AWS_"):
        del os.environ[name]
os.environ.update({"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "sk", "AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/none"})

lint = subprocess.run([os.path.join(os.path.dirname(sys.executable), "cfn-lint"), TEMPLATE], capture_output=True, text=True)
expect(lint.returncode == 0, lint.stdout + lint.stderr)
script = subprocess.run(["sh", "-n", os.path.join(DEPLOY, "user-data.sh")], capture_output=True, text=True)
expect(script.returncode == 0, script.stderr)

moto = Moto()
try:
    def client(service):
        return boto3.client(service, endpoint_url=moto.url)

    ec2, autoscaling, iam = client("ec2"), client("autoscaling"), client("iam")
    image = ec2.describe_images()["Images"][0]["ImageId"]

    def make(stack, **words):
        wanted = {"Image": image, "GatewayUrl": "https://berth.example.org", "HostToken": "berth_0123456789abcdef", "Pool": "work", **words}
        with open(TEMPLATE) as file:
            client("cloudformation").create_stack(StackName=stack, TemplateBody=file.read(), Capabilities=["CAPABILITY_IAM"],
                                                  Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in wanted.items()])
        made = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        expect(made["StackStatus"] == "CREATE_COMPLETE", made)
        outputs = {one["OutputKey"]: one["OutputValue"] for one in made["Outputs"]}
        return outputs, autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[outputs["Group"]])["AutoScalingGroups"][0]

    # ---- with a network of its own and everything that is optional
    outputs, group = make("berth", SshFrom="198.51.100.0/24", WithTable="yes", WithBucket="yes", HostsMax="5")
    expect((group["MinSize"], group["MaxSize"], group["NewInstancesProtectedFromScaleIn"]) == (0, 5, True) and len(group["VPCZoneIdentifier"].split(",")) == 2, group)
    machine = ec2.describe_launch_template_versions(LaunchTemplateId=group["LaunchTemplate"]["LaunchTemplateId"])["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    expect(machine["MetadataOptions"]["HttpTokens"] == "required" and machine["BlockDeviceMappings"][0]["Ebs"]["Encrypted"], machine)
    first_boot = base64.b64decode(machine["UserData"]).decode()
    expect("join --no-run --url 'https://berth.example.org'" in first_boot and "--pool 'work'" in first_boot and "${" not in first_boot, first_boot)
    expect(subprocess.run(["sh", "-n"], input=first_boot, text=True).returncode == 0, "a shell can read it")
    ports = ec2.describe_security_groups(GroupIds=machine["SecurityGroupIds"])["SecurityGroups"][0]["IpPermissions"]
    expect(sorted((rule["FromPort"], rule["IpRanges"][0]["CidrIp"]) for rule in ports) == [(22, "198.51.100.0/24"), (9480, "0.0.0.0/0")], ports)
    table = client("dynamodb").describe_table(TableName="worker_pool")["Table"]
    expect(table["KeySchema"][0]["AttributeName"] == "instanceId" and table["GlobalSecondaryIndexes"][0]["IndexName"] == "status", table)
    expect(len(client("s3").list_buckets()["Buckets"]) == 1, "a bucket")

    # ---- its rights are those of the policy that is shipped
    version = iam.get_policy_version(PolicyArn=outputs["ControlPlaneRights"], VersionId="v1")["PolicyVersion"]["Document"]
    document = version if isinstance(version, dict) else json.loads(urllib.parse.unquote(version))
    with open(os.path.join(DEPLOY, "policy.json")) as file:
        shipped = json.load(file)
    actions = [{one["Sid"]: sorted(one["Action"]) for one in policy["Statement"]} for policy in (document, shipped)]
    expect(actions[0] == actions[1], actions)

    # ---- in a network that is there, without the rest
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"][:2]
    _, other = make("another", Vpc=subnets[0]["VpcId"], Subnets=",".join(one["SubnetId"] for one in subnets))
    expect(sorted(other["VPCZoneIdentifier"].split(",")) == sorted(one["SubnetId"] for one in subnets), other)

    # ---- and berth uses it
    child = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "AWS_ENDPOINT_URL": moto.url})

    def say(what):
        child.stdin.write(json.dumps(what) + "\n")
        child.stdin.flush()
        return json.loads(child.stdout.readline())

    opened = say(f'[pool.work]\nprovider = "aws-asg"\nbuffer_unit = "hosts"\nslots_per_host = 1\n[pool.work.template]\ngroup = "{outputs["Group"]}"\n')
    expect(opened["error"] == "", opened)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    say({"do": "launch", "pool": "work", "launches": {"l-1": now, "l-2": now}})
    listed = say({"do": "list"})
    expect(sorted(one["launch"] for one in listed["instances"]) == ["l-1", "l-2"], listed)
    expect(say({"do": "terminate", "instance": listed["instances"][0]["instance"]})["error"] is None, "given back")
    expect(autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[outputs["Group"]])["AutoScalingGroups"][0]["DesiredCapacity"] == 1, "one is left")
    child.stdin.close()
    child.wait(timeout=60)
finally:
    moto.close()
print("ok")
