# SPDX-License-Identifier: Apache-2.0
"""Situations of people and their workspaces, each with its truth: until when it is in use. All of a list
play at once, on real containers, in real Chromium; play() tells for each whether it was stopped in use or
lived on when it was over. story_12 plays some in each run, script/idleness all.

A situation is a function of an Actor that does what a person does and calls used() whenever that is use;
it ends early (what follows is nobody's), or when actor.going is no longer so (in use to the end)."""
import json
import os
import subprocess
import threading
import time

from stage import HERE, Browser, say, wait_for

LATE_S = 120                       # after its window a workspace may live so long
SLOW_SERVER = """import { createServer } from 'node:http';
createServer((_, answer) => { const timer = setInterval(() => answer.write(Buffer.alloc(5000)), 250); answer.on('close', () => clearInterval(timer)); }).listen(4000);
"""
SLOW_CLIENT = "import { get } from 'node:http'; get('http://127.0.0.1:4000/', (answer) => answer.resume());\n"
WEB_SERVER = """import { createServer } from 'node:http';
createServer((asked, answer) => { answer.setHeader('content-type', 'text/html'); answer.end(`<title>it</title><button onclick="fetch('press', {method: 'POST'})">press</button><a href="?${Date.now()}">again</a>`); }).listen(3000);
"""
FILES = {"slow.mjs": SLOW_SERVER, "load.mjs": SLOW_CLIENT, "web.mjs": WEB_SERVER,
         "notes.txt": "notes\n", "long.txt": "".join(f"line {i}\n" for i in range(2000))}


class People:
    """people.mjs, for many threads."""

    def __init__(self):
        self.process = subprocess.Popen(["node", os.path.join(HERE, "people.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.guard = threading.Condition()
        self.answers = {}
        self.asked = 0
        threading.Thread(target=self._read, daemon=True).start()
        self._wait(0)

    def _read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            with self.guard:
                self.answers[answer["n"]] = answer
                self.guard.notify_all()

    def _wait(self, number):
        with self.guard:
            if not self.guard.wait_for(lambda: number in self.answers, 120):
                raise AssertionError(f"Chromium gave no answer to {number}")
            return self.answers.pop(number)

    def do(self, act, who, **more):
        with self.guard:
            self.asked += 1
            number = self.asked
            self.process.stdin.write(json.dumps({"n": number, "act": act, "who": who, **more}) + "\n")
            self.process.stdin.flush()
        answer = self._wait(number)
        if "error" in answer:
            raise AssertionError(f"{act} of {who}: {answer['error']}")
        return answer

    def end(self):
        self.process.stdin.close()
        self.process.wait(30)


class Actor:
    def __init__(self, stage, people, name, situation):
        self.stage, self.people, self.name, self.situation = stage, people, name, situation
        self.ended = threading.Event()         # of the play
        self.opened = threading.Event()
        self.over = False                      # nobody uses it any more
        self.failure = None
        granted = stage.claim(name)
        self.identity, self.link = granted["workspace"], granted["link"]
        for file, text in FILES.items():
            path = os.path.join(stage.home(self.identity), file)
            with open(path, "w") as to:
                to.write(text)
            os.chmod(path, 0o666)
        self.stopped_at = None
        self.used()

    def used(self):
        self.used_at = time.monotonic()

    @property
    def going(self):
        return not self.ended.is_set()

    def rest(self, seconds):
        self.ended.wait(seconds)

    def do(self, act, **more):
        who = more.pop("who", self.name)
        answer = self.people.do(act, who, **more)
        return answer

    def open(self, who=None):
        link = self.link if who is None else self.fresh_link()
        self.people.do("open", who or self.name, url=link)
        self.used()
        self.opened.set()

    def fresh_link(self):
        return self.stage.call("POST", f"/v1/workspaces/{self.identity}/link", {}).json()["link"]

    def terminal(self, text):
        self.do("terminal", text=text)
        self.used()

    def address(self, path):
        origin = self.link.split("/_berth/")[0]
        return origin + path

    def run(self):
        try:
            self.situation(self)
            self.over = self.going
        except AssertionError as error:
            self.failure = error
        finally:
            self.opened.set()


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
    me.terminal("sleep 40")
    me.do("close")
    end = time.monotonic() + 40
    while me.going and time.monotonic() < end:
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
    page = Browser(me.fresh_link())
    me.used()
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
    while me.going:
        try:
            me.do("says", text="Keep it", ms=20000)
        except AssertionError:
            continue
        me.do("picture", file=os.path.join(os.environ.get("BERTH_PICTURES", me.stage.folder), "countdown.png"))
        me.do("button", text="Keep it")
        me.used()
        me.rest(5)


# Not typing: to make a file by the quick input takes the browser over 30 s in two of three runs on two cores.
FEW = [untouched_tab, closed_tab, terminal_input, waiting_job, slow_download, server_nobody_asks, hold]
ALL = FEW + [typing, hidden_tab, frozen_tab, reading, loop_of_naps, busy_background, idle_background, ended_job, server_that_a_person_uses,
             preview_left_open, polling_of_nothing, two_browsers, keep_it]


def play(stage, situations, window_s, watch_s):
    """Rows of (name, truth, stopped after its last use in s or None, verdict); raises nothing for a wrong verdict."""
    people = People()
    actors, threads = [], []
    turn = threading.Event()

    def see():
        turn.wait(0.5)                # the machine is the players'
        states = {one["workspace"]: one["state"] for one in stage.call("GET", "/v1/workspaces").json()["workspaces"]}
        for actor in actors:
            if actor.stopped_at is None and states[actor.identity] != "active":
                actor.stopped_at = time.monotonic()
                actor.used_when_stopped = actor.used_at
                say(f"{actor.name} stopped {actor.stopped_at - actor.used_at:.0f} s after its last use")
    try:
        for situation in situations:  # one after the other: each page takes what the machine has
            actor = Actor(stage, people, situation.__name__.replace("_", "-"), situation)
            actors.append(actor)
            threads.append(threading.Thread(target=actor.run, daemon=True))
            threads[-1].start()
            wait_for(f"{actor.name} has opened", lambda: (see(), actor.opened.is_set())[1], 120)
        end = time.monotonic() + watch_s

        def look():
            see()
            waiting = [actor for actor in actors if actor.over and actor.stopped_at is None]
            return time.monotonic() > end and not any(time.monotonic() < actor.used_at + window_s + LATE_S for actor in waiting)
        wait_for("the play is over", look, watch_s + window_s + LATE_S + 60)
        rows = []
        for actor in actors:
            in_use = not actor.over
            if actor.failure:
                verdict = f"could not be played: {actor.failure}"
            elif actor.stopped_at is not None and actor.stopped_at - actor.used_when_stopped < window_s:
                verdict = "STOPPED IN USE"
            elif in_use or actor.stopped_at is not None and actor.stopped_at - actor.used_when_stopped <= window_s + LATE_S:
                verdict = "right"
            else:
                verdict = "ALIVE WHEN OVER"
            after = None if actor.stopped_at is None else actor.stopped_at - actor.used_when_stopped
            rows.append((actor.name, "in use" if in_use else "over", after, verdict))
        return rows
    finally:
        for actor in actors:
            actor.ended.set()
        for thread in threads:
            thread.join(130)
        people.end()
