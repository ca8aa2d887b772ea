# SPDX-License-Identifier: Apache-2.0
"""People sign in by OpenID Connect at a real issuer (npm oidc-provider), which then lies, changes its keys and goes away. Issue 16, point 1."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

from stage import HERE, Stage, chromium, expect, http_call, say, skip, wait_for

if not shutil.which("node"):
    skip("node is not there")
if not os.path.isdir(os.path.join(HERE, "node_modules", "oidc-provider")):
    skip("tests/e2e/node_modules/oidc-provider is not there: npm ci in tests/e2e")


class Person:
    """A browser as far as cookies and redirects go."""

    def __init__(self):
        self.jar = {}                     # origin → {name: value}

    def get(self, url, site="none"):
        origin = urllib.parse.urlsplit(url).netloc
        cookies = self.jar.setdefault(origin, {})
        answer = http_call(url, headers={"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), "Accept": "text/html",
                                         "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": site})
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            cookies[name] = value
            if value == "" or "max-age=0" in line.lower() or "1970" in line:
                cookies.pop(name)
        return answer

    def follow(self, url, until=None):
        """Where it ends, and the answer there; or the first address that begins with `until`, not asked."""
        for _ in range(12):
            if until and url.startswith(until):
                return url, None
            answer = self.get(url)
            if answer.status not in (301, 302, 303, 307):
                return url, answer
            url = urllib.parse.urljoin(url, answer.headers["Location"])
        raise AssertionError(f"round and round, at last {url}")

    def me(self, gateway):
        return http_call(f"{gateway}/v1/me", headers={"Cookie": "; ".join(f"{n}={v}" for n, v in self.jar.get(urllib.parse.urlsplit(gateway).netloc, {}).items())})


def start_issuer(port, redirect):
    process = subprocess.Popen(["node", os.path.join(HERE, "issuer.mjs"), str(port), redirect], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    line = process.stdout.readline()
    assert line.startswith("{"), "the issuer did not start"
    return process, json.loads(line)["issuer"]


def free_port():
    import socket
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


folder = tempfile.mkdtemp(prefix="berth-oidc-")
secret = os.path.join(folder, "secret")
with open(os.path.join(folder, "secret"), "w") as file:
    file.write("a-secret: with & signs\n")
port = free_port()
issuer_at = f"http://127.0.0.1:{port}"
settings = [f"oidc.issuer={issuer_at}", "oidc.client_id=berth", f"oidc.client_secret_file={secret}", "oidc.operator_groups=admins", "oidc.name=Example"]
flags = [word for setting in settings for word in ("--set", setting)]
issuer = None
try:
    with Stage("--hosts-max", "1", "--slots", "2", *flags) as stage:
        gateway = stage.url
        done = f"{gateway}/sign-in/oidc/done"
        control = lambda **what: http_call(f"{issuer_at}/control?{urllib.parse.urlencode(what)}")
        begin = f"{gateway}/sign-in/oidc?to=/dashboard"

        url, answer = Person().follow(begin)
        expect(answer.status == 503 and b"does not answer" in answer.body, f"an issuer that is down is said so: {answer.status}")
        issuer, _ = start_issuer(port, done)

        ada = Person()
        url, answer = ada.follow(begin)
        expect(url == f"{gateway}/dashboard" and answer.status == 200, f"ada signs in and arrives: {url}")
        me = ada.me(gateway).json()
        expect((me["user"], me["role"]) == ("ada@example.org", "user"), f"the issuer's claim names her: {me}")
        control(user="boss")
        boss = Person()
        boss.follow(begin)
        expect(boss.me(gateway).json()["role"] == "operator", "a group makes an operator")
        control(user="ada")

        # What is not for this sign-in lets nobody in.
        for lie, word in (("nonce", b"nonce"), ("audience", b"another client"), ("issuer", b"another issuer"), ("expired", b"it is over"), ("signature", b"signature")):
            control(lie=lie)
            eve = Person()
            url, answer = eve.follow(begin)
            expect(answer.status == 403 and word in answer.body and eve.me(gateway).status == 401, f"a token with a wrong {lie} is refused")
        control(lie="none")
        tricked = Person()
        back, _ = tricked.follow(begin, until=done)
        answer = tricked.get(back.replace("state=", "state=0"))
        expect(answer.status == 403 and b"is over" in answer.body, "a wrong state is refused")
        expect(tricked.get(back).status == 303 and tricked.me(gateway).status == 200, "the right one is taken")
        expect(tricked.get(back).status == 403, "and not twice")
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]
        again = Person()
        fresh, _ = again.follow(begin, until=done)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(fresh).query)
        replayed = f"{done}?" + urllib.parse.urlencode({"code": code, "state": query["state"][0], "iss": query["iss"][0]})
        answer = again.get(replayed)
        expect(answer.status == 403 and b"invalid_grant" in answer.body and again.me(gateway).status == 401, "a code that was used is refused")
        victim, attacker = Person(), Person()
        theirs, _ = attacker.follow(begin, until=done)
        answer = victim.get(theirs, site="cross-site")
        expect(answer.status == 403 and b"another browser" in answer.body and victim.me(gateway).status == 401, "nobody is signed in as another by a link")

        control(rotate="ES256")
        wait_for("the issuer's new key is asked for", lambda: Person().follow(begin)[1].status == 200, 30)
        say("ok: a key that changed, also its kind, is found")

        if shutil.which(os.environ.get("CHROMIUM", "chromium")):
            seen = chromium("issuer", gateway, "Example", "ada@example.org", *sys.argv[1:2])[-1]
            expect(seen["me"].startswith("ada@example.org"), f"Chromium signs in with the button: {seen}")

        control(lie="discovery")
        stage.kill("gateway")
        wait_for("the gateway is back", lambda: http_call(f"{gateway}/healthz").status == 200)
        url, answer = Person().follow(begin)
        expect(answer.status == 502 and b"calls itself" in answer.body, "an issuer of another name is not asked")
        expect(ada.me(gateway).status == 200, "who is signed in stays so")
finally:
    if issuer:
        issuer.terminate()
        issuer.wait(10)
    shutil.rmtree(folder, ignore_errors=True)
