# SPDX-License-Identifier: Apache-2.0
"""Situations of people and their workspaces, each with its truth: until when it is in use. story_12 plays
some in each run, script/idleness all (players.py is who plays them).

A situation is a function of an Actor that does what a person does and calls used() whenever that is use;
it ends early (what follows is nobody's), or when actor.going is no longer so (in use to the end)."""
import json
import os
import time

from stage import Browser, wait_for

SLOW_SERVER = """import { createServer } from 'node:http';
createServer((_, answer) => { const timer = setInterval(() => answer.write(Buffer.alloc(5000)), 250); answer.on('close', () => clearInterval(timer)); }).listen(4000);
"""
SLOW_CLIENT = "import { get } from 'node:http'; get('http://127.0.0.1:4000/', (answer) => answer.resume());\n"
WEB_SERVER = """import { createServer } from 'node:http';
createServer((asked, answer) => { answer.setHeader('content-type', 'text/html'); answer.end(`<title>it</title><button onclick="fetch('press', {method: 'POST'})">press</button><a href="?${Date.now()}">again</a>`); }).listen(3000);
"""
COMPILER = "for (let file = 0; ; ++file) { const end = Date.now() + 300; while (Date.now() < end); await new Promise((go) => setTimeout(go, 700)); console.log(`file ${file}`); }\n"
POLLER = "setInterval(() => fetch('http://127.0.0.1:3000/').then((answer) => answer.text()), 5000);\n"
SLOW_TESTS = "import test from 'node:test';\ntest('slow', () => new Promise((go) => setTimeout(go, 40000)));\n"
GREEDY = "const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1));\n"
FILES = {"slow.mjs": SLOW_SERVER, "load.mjs": SLOW_CLIENT, "web.mjs": WEB_SERVER, "compile.mjs": COMPILER, "poll.mjs": POLLER,
         "slow.test.mjs": SLOW_TESTS, "greedy.mjs": GREEDY, "app.mjs": "console.log('hello');\n",
         "notes.txt": "notes\n", "long.txt": "".join(f"line {i}\n" for i in range(2000))}
# An extension that is never still: it writes, asks, shows and edits, though nobody is there.
CHATTY = """const fs = require('fs'), os = require('os'), path = require('path'), vscode = require('vscode');
exports.activate = () => setInterval(async () => {
  fs.writeFileSync(path.join(os.homedir(), '.chatter'), String(Date.now()));
  vscode.window.setStatusBarMessage(`chatter ${Date.now()}`);
  const edit = new vscode.WorkspaceEdit();
  edit.insert(vscode.Uri.file(path.join(os.homedir(), 'notes.txt')), new vscode.Position(0, 0), '.');
  await vscode.workspace.applyEdit(edit);
}, 2000);
"""
CHATTY_PACKAGE = {"name": "chatty", "publisher": "test", "version": "1.0.0", "engines": {"vscode": "^1.60.0"}, "main": "./main.js", "activationEvents": ["*"]}


# ---- situations: what people do

def untouched_tab(me):
    me.open()


def hidden_tab(me):
    me.open()
    me.do("hide")
    me.used()


def frozen_tab(me):
    me.open()
    me.do("freeze")


def closed_tab(me):
    me.open()
    me.do("close")


def typing(me):
    me.open()
    me.do("file", name="notes.txt")
    while me.going:
        me.do("type", text="words ")
        me.used()
        me.rest(7)


def reading(me):
    me.open()
    me.do("file", name="long.txt")
    while me.going:
        me.do("wheel")
        me.used()
        me.rest(9)


def terminal_input(me):
    me.open()
    while me.going:
        me.terminal("date")
        me.rest(11)


def waiting_job(me):
    """Also with the tab closed: somebody waits for it."""
    me.open()
    me.terminal("sleep 3600")
    me.rest(3)
    me.do("close")
    while me.going:
        me.used()
        me.rest(1)


def loop_of_naps(me):
    me.open()
    me.terminal("while sleep 5; do date; done")
    me.rest(3)
    me.do("close")
    while me.going:
        me.used()
        me.rest(1)


def slow_download(me):
    me.open()
    me.terminal("node slow.mjs & sleep 1; node load.mjs")
    me.rest(5)
    me.do("close")
    while me.going:
        me.used()
        me.rest(1)


def busy_background(me):
    me.open()
    me.terminal("nohup sh -c 'while :; do :; done' >/dev/null 2>&1 &")
    me.rest(3)
    me.do("close")
    while me.going:
        me.used()
        me.rest(1)


def idle_background(me):
    me.open()
    me.terminal("nohup sleep 3600 >/dev/null 2>&1 &")
    me.do("close")


def ended_job(me):
    me.open()
    me.terminal("touch began; sleep 40; touch over")
    me.wait_for_file("began")
    me.do("close")
    while me.going and not os.path.exists(os.path.join(me.stage.home(me.identity), "over")):
        me.used()
        me.rest(1)


def server_nobody_asks(me):
    me.open()
    me.terminal("node web.mjs >/dev/null 2>&1 &")


def server_that_a_person_uses(me):
    me.open()
    me.terminal("node web.mjs >/dev/null 2>&1 &")
    me.rest(3)
    me.do("page", url=me.address("/proxy/3000/"))
    while me.going:
        me.do("click", selector="a" if int(time.monotonic()) % 2 else "button")
        me.used()
        me.rest(8)


def preview_left_open(me):
    me.open()
    me.terminal("node web.mjs >/dev/null 2>&1 &")
    me.rest(3)
    me.do("page", url=me.address("/proxy/3000/"))
    me.used()


def polling_of_nothing(me):
    """Field report 34: a page asks again and again where nobody listens."""
    me.open()
    me.do("close")
    page = Browser(me.fresh_link())        # a session for the page that polls; nobody looks at the editor any more
    me.over = True
    while me.going:
        page.get("/proxy/3999/", headers={"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"})
        me.rest(3)
        if me.stage.workspace(me.identity)["state"] != "active":
            return


def two_browsers(me):
    """One is touched, the other not."""
    me.open()
    me.open(who=me.name + "-too")
    me.do("file", name="notes.txt")
    while me.going:
        me.do("type", text="and ")
        me.used()
        me.rest(7)


def hold(me):
    me.open()
    me.stage.cli("hold", me.identity, "--for", "20m", "--why", "a long build")
    me.do("close")
    while me.going:
        me.used()
        me.rest(1)


def keep_it(me):
    """The countdown, and one click against it each time."""
    me.open()
    picture = os.path.join(os.environ.get("BERTH_PICTURES", me.stage.folder), "countdown.png")
    while me.going:
        try:
            me.do("says", text="Keep it", ms=20000)
        except AssertionError:
            continue
        if not os.path.exists(picture):          # once: it takes seconds, and the countdown runs
            me.do("picture", file=picture)
        me.do("button", text="Keep it")
        me.used()
        me.rest(5)


def job_with_the_tab_closed(me, line):
    me.open()
    me.terminal(line)
    me.rest(3)
    me.do("close")
    while me.going:
        me.used()
        me.rest(1)


def make_with_the_tab_closed(me):
    job_with_the_tab_closed(me, "node compile.mjs")


def waits_for_a_lock(me):
    job_with_the_tab_closed(me, "mkdir held; until mkdir held 2>/dev/null; do sleep 2; done")


def paused_debugger(me):
    job_with_the_tab_closed(me, "node --inspect-brk=127.0.0.1:9333 app.mjs")


def watch_mode(me):
    """It waits for an edit; its person will look at it again."""
    me.open()
    me.terminal("node --watch app.mjs")
    while me.going:
        me.used()
        me.rest(1)


def test_run(me):
    """With the tab closed, until the tests are over."""
    me.open()
    me.terminal("touch began; node --test slow.test.mjs; touch over")
    me.wait_for_file("began")
    me.do("close")
    while me.going and not os.path.exists(os.path.join(me.stage.home(me.identity), "over")):
        me.used()
        me.rest(1)


def git_autofetch(me):
    me.settings(**{"git.autofetch": True, "git.autofetchPeriod": 10, "git.autorefresh": True})
    me.open()
    me.terminal("git init -q . && git remote add origin /berth/home/.git && git add notes.txt")


def chatty_extension(me):
    folder = ".local/share/code-server/extensions"
    me.write(f"{folder}/test.chatty-1.0.0/package.json", json.dumps(CHATTY_PACKAGE))
    me.write(f"{folder}/test.chatty-1.0.0/main.js", CHATTY)
    inside = f"/berth/home/{folder}/test.chatty-1.0.0"
    me.write(f"{folder}/extensions.json", json.dumps([{"identifier": {"id": "test.chatty"}, "version": "1.0.0", "relativeLocation": "test.chatty-1.0.0",
                                                       "location": {"$mid": 1, "path": inside, "scheme": "file"}}]))
    me.open()
    chatter = os.path.join(me.stage.home(me.identity), ".chatter")
    wait_for("the extension chats", lambda: os.path.exists(chatter), 60)


def walkthrough_left_open(me):
    me.settings(**{"workbench.startupEditor": "welcomePage"})
    me.open()


def curl_polls_a_server(me):
    """The person's own loop in the background, and nobody looks."""
    me.open()
    me.terminal("node web.mjs >/dev/null 2>&1 & sleep 1; node poll.mjs >/dev/null 2>&1 &")
    me.rest(3)
    me.do("close")


def out_of_memory(me):
    me.open()
    me.terminal("node --max-old-space-size=8000 greedy.mjs")
    wait_for("it is said that memory ran out", lambda: "out of memory" in me.stage.workspace(me.identity).get("incident", ""), 60)
    me.used()


def asleep_and_back(me):
    """A laptop that is closed for a while, again and again; an editor that wakes first finds its server again."""
    me.open()
    me.do("file", name="notes.txt")
    while me.going:
        for _ in range(4):
            me.do("type", text="on ")
            me.used()
            me.rest(3)
        me.do("freeze")
        me.rest(25)
        me.do("thaw")


# Not typing: to make a file by the quick input takes the browser over 30 s in two of three runs on two cores.
FEW = [untouched_tab, closed_tab, terminal_input, waiting_job, slow_download, server_nobody_asks, hold]
ALL = FEW + [typing, hidden_tab, frozen_tab, reading, loop_of_naps, busy_background, idle_background, ended_job, server_that_a_person_uses,
             preview_left_open, polling_of_nothing, two_browsers, keep_it, make_with_the_tab_closed, waits_for_a_lock, paused_debugger, watch_mode,
             test_run, git_autofetch, chatty_extension, walkthrough_left_open, curl_polls_a_server, out_of_memory, asleep_and_back]
