# SPDX-License-Identifier: Apache-2.0
"""Who plays situations: many people in one Chromium, an Actor for each workspace, and the play itself. All
of a list play at once, on real containers, in real Chromium; play() tells for each whether it was stopped
in use or lived on when it was over."""
import json
import os
import subprocess
import threading
import time

from stage import HERE, say, wait_for

LATE_S = 120                       # after its window a workspace may live so long


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
    def __init__(self, stage, people, name, situation, files):
        self.stage, self.people, self.name, self.situation = stage, people, name, situation
        self.ended = threading.Event()         # of the play
        self.opened = threading.Event()
        self.over = False                      # nobody uses it any more
        self.failure = None
        self.act_began = None
        self.uses = []                         # when, as far as the script knows
        granted = stage.claim(name)
        self.identity, self.link = granted["workspace"], granted["link"]
        for file, text in files.items():
            self.write(file, text)
        self.stopped_at = None
        self.used()

    def write(self, file, text):
        """Into the home, as its owner."""
        home = folder = self.stage.home(self.identity)
        owner = os.stat(home)
        for part in os.path.dirname(file).split("/") if os.path.dirname(file) else []:
            folder = os.path.join(folder, part)
            if not os.path.isdir(folder):
                os.mkdir(folder)
                os.chown(folder, owner.st_uid, owner.st_gid)
        path = os.path.join(home, file)
        with open(path, "w") as to:
            to.write(text)
        os.chown(path, owner.st_uid, owner.st_gid)

    def wait_for_file(self, name, within=60):
        wait_for(f"{self.name} makes {name}", lambda: os.path.exists(os.path.join(self.stage.home(self.identity), name)), within)

    def settings(self, **values):
        self.write(".local/share/code-server/User/settings.json", json.dumps(values))

    def used(self):
        """At some time between the begin of the last act and now: a busy machine takes seconds for it."""
        self.used_at = time.monotonic()
        self.use_began = self.act_began or self.used_at
        self.act_began = None
        self.uses.append(self.used_at)

    @property
    def going(self):
        return not self.ended.is_set()

    def rest(self, seconds):
        self.ended.wait(seconds)

    def do(self, act, **more):
        who = more.pop("who", self.name)
        self.act_began = time.monotonic()
        answer = self.people.do(act, who, **more)
        return answer

    def open(self, who=None):
        link = self.link if who is None else self.fresh_link()
        self.act_began = time.monotonic()
        self.people.do("open", who or self.name, url=link)
        self.used()
        self.opened.set()

    def fresh_link(self):
        return self.stage.call("POST", f"/v1/workspaces/{self.identity}/link", {}).json()["link"]

    def terminal(self, text):
        """Typed, and typed again when the shell did not get it: a terminal that just opens may lose keys."""
        for number in range(3):
            mark = f".typed-{len(self.uses)}-{number}"
            self.do("terminal", text=f"true > ~/{mark}; {text}")
            self.used()
            try:
                return self.wait_for_file(mark, 15)
            except AssertionError:
                if number == 2:
                    raise
                self.do("interrupt")

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


def play(stage, situations, files, window_s, watch_s, watcher=None):
    """Rows of (name, truth, stopped after its last use in s or None, verdict); raises nothing for a wrong verdict.
    With a watcher, of which nothing is stopped, instead of the verdict its notes of that actor are judged later."""
    people = People()
    actors, threads = [], []
    if watcher:
        watcher.actors = actors
    turn = threading.Event()

    def see():
        turn.wait(0.5)                # the machine is the players'
        states = {one["workspace"]: one["state"] for one in stage.call("GET", "/v1/workspaces").json()["workspaces"]}
        for actor in actors:
            if actor.stopped_at is None and states[actor.identity] != "active":
                actor.stopped_at = time.monotonic()
                actor.used_when_stopped, actor.use_began_when_stopped = actor.used_at, actor.use_began
                say(f"{actor.name} stopped {actor.stopped_at - actor.used_at:.0f} s after its last use")
    try:
        for situation in situations:  # one after the other: each page takes what the machine has
            actor = Actor(stage, people, situation.__name__.replace("_", "-"), situation, files)
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
            elif actor.stopped_at is not None and actor.stopped_at - actor.use_began_when_stopped < window_s:
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
