# SPDX-License-Identifier: Apache-2.0
"""A person comes back by a bookmark: no session, a stopped workspace and a signed-out browser are no dead ends. Issue 16, point 1."""
import json
import os
import re
import shutil
import subprocess
import sys

from stage import BIN, HERE, Stage, chromium, expect, skip

if not shutil.which("node") or not (os.environ.get("CHROMIUM") or shutil.which("chromium")):
    skip("node or chromium is not there")
if not os.path.isdir(os.path.join(HERE, "node_modules")):
    skip("tests/e2e/node_modules is not there: npm ci in tests/e2e")

with Stage("--hosts-max", "1", "--slots", "2") as stage:
    granted = stage.claim("ada", "shop")
    invited = stage.cli_json("user", "invite", "ada", "--ttl", "5m")
    stage.secrets.append(invited["link"].split("#")[1])
    seen = chromium("bookmark", granted["url"], stage.url, invited["link"], granted["workspace"], *(sys.argv[1:2] or [""]))[-1]
    expect(seen["cookie"]["httpOnly"] and seen["cookie"]["sameSite"] == "Lax", f"the session is a cookie that no script reads: {seen['cookie']}")
    expect(seen["asks"] == "Sign in as ada", "a link says whom it signs in, and waits to be told")
    expect("used before" in seen["again"], f"it works once: {seen['again']}")
    expect(seen["stopped"] == 200, "a page of the gateway may stop what is its user's")
    users = {row["user"]: row for row in stage.cli_json("user", "list")}
    expect(users["ada"]["sessions"] == 0 and users["ada"]["links"] == 0 and users["ada"]["active"] == 1, f"signed out, and the workspace runs: {users['ada']}")
    stage.cli("user", "invite", "ada")
    stage.cli("user", "end", "ada")
    expect("ada" not in [row["user"] for row in stage.cli_json("token", "list")], "nothing lets ada in any more")
    created = stage.cli_json("token", "create", "--user", "ci", "--ttl", "1h")
    stage.secrets.append(created["token"])
    expect(stage.call("GET", "/v1/me", token=created["token"]).json()["user"] == "ci", "a token of the command line works")
    stage.cli("token", "revoke", created["id"])
    expect(stage.call("GET", "/v1/me", token=created["token"]).status == 401, "and ends")

    # `berth login`: a code, a word in the browser, a token of one's own.
    link = stage.cli_json("user", "invite", "ada")["link"].split("#")[1]
    stage.secrets.append(link)
    opened = stage.call("POST", "/v1/session", {"link": link}, token="")
    cookie = {"Cookie": opened.headers["Set-Cookie"].split(";")[0], "Sec-Fetch-Site": "same-origin"}
    elsewhere = {name: value for name, value in stage.env.items() if name != "BERTH_STATE"}
    elsewhere["XDG_CONFIG_HOME"] = elsewhere["HOME"] = os.path.join(stage.folder, "ada")
    berth = lambda *words: subprocess.run([os.path.join(BIN, "berth"), *words], capture_output=True, text=True, env=elsewhere, timeout=60)
    command = subprocess.Popen([os.path.join(BIN, "berth"), "--url", stage.url, "login", "--no-browser"], stderr=subprocess.PIPE, text=True, env=elsewhere)
    first = command.stderr.readline()
    code = re.search(r"code=([A-Z-]{9})", first).group(1)
    asked = stage.call("GET", f"/v1/logins?code={code.lower()}", token="", headers=cookie)
    expect(asked.status == 200 and asked.json()["machine"].startswith("ada on "), f"the page says who asks: {asked.body!r}")
    answered = stage.call("POST", "/v1/logins/answer", {"code": code, "answer": "confirm"}, token="", headers=cookie)
    expect(answered.status == 200, f"ada confirms it: {answered.body!r}")
    expect(command.wait(30) == 0, "the command got its token")
    kept = os.path.join(stage.folder, "ada", "berth", "login.json")
    expect(os.stat(kept).st_mode & 0o777 == 0o600, "and keeps it for itself")
    stage.secrets.append(json.load(open(kept))["token"])
    me = json.loads(berth("whoami", "-o", "json").stdout)
    expect((me["user"], me["role"]) == ("ada", "user"), f"it acts as ada: {me}")
    expect(json.loads(berth("list", "-o", "json").stdout)[0]["project"] == "shop", "and sees her workspaces")
    os.chmod(kept, 0o644)
    expect(berth("list").returncode == 4, "a token that others may read is not used")
    os.chmod(kept, 0o600)
    expect(berth("logout").returncode == 0 and not os.path.exists(kept), "logged out")
    expect(stage.call("GET", "/v1/me", token=stage.secrets[-1]).status == 401, "also at the gateway")
