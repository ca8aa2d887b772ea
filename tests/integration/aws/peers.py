# SPDX-License-Identifier: Apache-2.0
"""moto, and between it and us a listener that knows every action that was called and can refuse it in Amazon's own form."""
import collections
import http.client
import os
import re
import subprocess
import sys
import threading
import urllib.parse

from amazon import Server, expect


class Moto:
    """On a free port, which it says on stderr."""

    def __init__(self, **environment):
        self.child = subprocess.Popen([os.path.join(os.path.dirname(sys.executable), "moto_server"), "-H", "127.0.0.1", "-p", "0"], stderr=subprocess.PIPE, text=True,
                                      env={**os.environ, **environment})
        self.url = None
        for line in self.child.stderr:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                self.url, self.port = found.group(0), int(found.group(1))
                break
        expect(self.url, "moto runs")
        threading.Thread(target=self.child.stderr.read, daemon=True).start()      # it says each request

    def close(self):
        self.child.kill()
        self.child.wait()


class Between:
    """`refuse[action]` is a list of (code, message) that its next calls are answered with, before moto hears of them. A client
    token means what it means to EC2, and not to moto: the same again is the same answer, with other words it is refused."""

    def __init__(self, moto):
        self.called = []
        self.refuse = collections.defaultdict(list)
        tokens = {}

        def answer(seen):
            form = dict(urllib.parse.parse_qsl(seen.body.decode(errors="replace")))
            action = form.get("Action", "")
            self.called.append((re.search(r"/aws4_request", seen.headers.get("authorization", "")) and re.search(r"/(\w+)/aws4_request", seen.headers["authorization"]).group(1), action, form))
            known = tokens.get(form.get("ClientToken"))
            if known and known[0] == form:
                return known[1]
            if known:
                self.refuse[action].insert(0, ("IdempotentParameterMismatch", "The client token is used with other parameters"))
            if self.refuse[action]:
                code, message = self.refuse[action].pop(0)
                return 400, {"Content-Type": "text/xml"}, (f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
                                                          "<RequestID>1-2-3</RequestID></Response>")
            onward = http.client.HTTPConnection("127.0.0.1", moto.port, timeout=60)
            onward.request(seen.method, seen.path, body=seen.body, headers={name: value for name, value in seen.headers.items() if name != "connection"})
            came = onward.getresponse()
            answered = came.status, {"Content-Type": came.headers.get("Content-Type", "text/xml")}, came.read()
            if "ClientToken" in form and came.status == 200:
                tokens[form["ClientToken"]] = (form, answered)
            return answered

        self.server = Server(answer)
        self.url = self.server.url

    def actions(self):
        return {f"{service}:{action}" for service, action, _ in self.called if action}

    def forms(self, action):
        return [form for _, called, form in self.called if called == action]
