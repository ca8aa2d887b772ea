# SPDX-License-Identifier: Apache-2.0
"""02: the same user gets the same workspace again; nobody else gets in by cookie, token, Host, Origin
or WebSocket. I22-I26, req 13. Real containers."""
from stage import Browser, Stage, expect, http_call, parse_origin, wait_for

with Stage("--hosts-max", "1", "--slots", "3", engine="docker") as stage:
    ada, again, bob = stage.claim("ada"), stage.claim("ada"), stage.claim("bob")
    expect(again["workspace"] == ada["workspace"] and again["epoch"] == ada["epoch"], "claimed twice, one workspace")
    expect(again["link"] != ada["link"], "each answer has its own link")
    mine, theirs = Browser(ada["link"]), Browser(bob["link"])
    wait_for("the owner sees the editor", lambda: b"code-server" in mine.get(mine.landing).body, 20)

    refused = {401, 403, 404, 421, 400}
    host = f"{mine.name}:{mine.port}"
    bare = mine.origin + "/"
    tries = {
        "no cookie": lambda: http_call(bare).status,
        "another workspace's cookie": lambda: http_call(bare, headers={"Cookie": theirs.cookie}).status,
        "a cookie with one letter changed": lambda: http_call(bare, headers={"Cookie": mine.cookie[:-2] + ("A" if mine.cookie[-2] != "A" else "B") + mine.cookie[-1]}).status,
        "an empty cookie": lambda: http_call(bare, headers={"Cookie": mine.cookie.split("=")[0] + "="}).status,
        "a link used twice": lambda: http_call(ada["link"]).status,
        "another workspace's link": lambda: http_call(mine.origin + "/_berth/open?token=" + again["token"], host=f"{theirs.name}:{theirs.port}").status,
        "the token as a session": lambda: http_call(bare, headers={"Cookie": mine.cookie.split("=")[0] + "=" + again["token"]}).status,
        "the token as a bearer": lambda: http_call(bare, headers={"Authorization": "Bearer " + again["token"]}).status,
        "the gateway's token": lambda: http_call(bare, headers={"Authorization": "Bearer " + stage.token}).status,
        "their cookie on my Host": lambda: http_call(theirs.origin + "/", host=host, headers={"Cookie": theirs.cookie}).status,
        "a Host that is no workspace": lambda: http_call(bare, host="127.0.0.1", headers={"Cookie": mine.cookie}).status,
        "a Host with two labels": lambda: http_call(bare, host=f"x.{host}", headers={"Cookie": mine.cookie}).status,
        "POST from another origin": lambda: mine.get("/", method="POST", body=b"x", headers={"Origin": theirs.origin}).status,
        "POST from a null origin": lambda: mine.get("/", method="POST", body=b"x", headers={"Origin": "null"}).status,
        "WebSocket without a cookie": lambda: mine.socket(cookie="").status,
        "WebSocket with their cookie": lambda: mine.socket(cookie=theirs.cookie).status,
        "WebSocket from their origin": lambda: mine.socket(origin=theirs.origin).status,
        "WebSocket from outside": lambda: mine.socket(origin="http://evil.example").status,
    }
    for name, attempt in tries.items():
        status = attempt()
        expect(status in refused, f"{name}: refused with {status}")
    expect(mine.get(mine.landing).status == 200, "the owner is still in")

    port = parse_origin(stage.url)[1]
    expect(http_call(f"http://127.0.0.1:{port}/v1/workspaces").status == 401, "the gateway tells nothing without a token")
    expect(http_call(f"http://127.0.0.1:{port}/v1/claims", "POST", {"Content-Type": "application/json"}, b"{}").status == 401,
           "and changes nothing")
