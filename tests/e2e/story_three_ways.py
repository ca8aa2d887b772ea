# SPDX-License-Identifier: Apache-2.0
"""three_ways: a workspace on another machine is opened in Chromium on a third one by each of the three ways that a
configuration may choose: a name below its host's own domain, a name below the one domain of a front door, and the host's
address with a port of its own, for who has no DNS. Issue 13.2, requirements 2 and 17."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from network import Network, is_possible
from plane import Door, Host, Person, Plane, tell
from stage import HERE, expect, parse_origin, say, skip

SETTINGS = "".join(f'[pool.{pool}]\nprovider = "static"\nslots_per_host = 2\n' for pool in ("named", "front", "plain")) + """
[gateway]
listen_address = "0.0.0.0"
public_url = "http://{plane}:9092"
reach_every = "1s"
[broker]
requests_hosts = "tcp://0.0.0.0:9094"
events_out = "tcp://0.0.0.0:9095"
[hostagent]
plain_port_first = 9500
plain_port_count = 2
"""


def seen_in_chromium(person, granted, rules, picture):
    """What the person's browser shows, which knows these names and no other."""
    environment = {**os.environ, **({"CHROMIUM_RULES": rules} if rules else {})}
    done = subprocess.run(person.machine.command("node", os.path.join(HERE, "browser.mjs"), "page", granted["link"], picture, granted["workspace"]),
                          capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, f"Chromium: {done.stdout} {done.stderr[-1500:]}"
    return json.loads(done.stdout.splitlines()[-1])


why = is_possible() or ("" if shutil.which(os.environ.get("CHROMIUM", "chromium")) else "chromium is not there: script/packages test")
if why:
    skip(why)
folder = tempfile.mkdtemp(prefix="berth-e2e-ways-")
pictures = sys.argv[1] if sys.argv[1:] else folder
network = Network()
plane, hosts, good = None, [], False
try:
    plane = Plane(network.add("plane", 1), folder, SETTINGS)
    ada = Person(plane, network.add("person", 50), "ada")
    named, front, plain = hosts = [Host(plane, network.add(name, number), name, folder) for name, number in (("named-1", 11), ("front-1", 12), ("plain-1", 13))]
    own = "named-1.apps.test"
    for host, more in ((named, ["hostagent.plain_port_first=0", f"hostagent.apps_domain={own}", f"proxy.apps_domain={own}"]),
                       (front, ["hostagent.plain_port_first=0", "hostagent.public_domain=door.test", "hostagent.public_port=8080"]), (plain, [])):
        token = plane.cli("host-token", "--pool", host.name.split("-")[0], "-o", "name").stdout.strip()
        host.join(token, *[word for one in more for word in ("--set", one)])
        plane.wait_host(host.name, liveness="live")
    door = Door(plane, network.add("door", 40), folder, "door.test")

    for pool, name, rules in (("named", "{workspace}." + own, f"MAP *.{own} {named.machine.address}"),
                              ("front", "{workspace}.door.test", f"MAP *.door.test {door.machine.address}"),
                              ("plain", plain.machine.address, "")):
        granted = ada.granted(pool, pool=pool)
        there, port, _ = parse_origin(granted["link"])
        expect(there == name.format(**granted), f"{pool}: its link leads to {there}:{port}")
        seen = seen_in_chromium(ada, granted, rules, os.path.join(pictures, f"way_{pool}.png"))
        expect(seen["status"] == 200 and parse_origin(seen["url"])[:2] == (there, port), f"{pool}: Chromium shows the workspace at {seen['url']}")
        again = subprocess.run(ada.machine.command("node", os.path.join(HERE, "browser.mjs"), "page", granted["link"], "", granted["workspace"]), capture_output=True, text=True,
                               timeout=120, env={**os.environ, **({"CHROMIUM_RULES": rules} if rules else {})})
        expect(again.returncode != 0, f"{pool}: and the link works once, for that browser alone")
    good = True
finally:
    if plane and not good:
        tell(network, plane, hosts)
    network.end()
    if os.environ.get("BERTH_KEEP"):
        say(f"kept {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
