# SPDX-License-Identifier: Apache-2.0
"""What the tests of aws/ share: the probe as a child, and a server of the test's own on loopback."""
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Probe:
    def __init__(self, program):
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, what, **rest):
        self.child.stdin.write(json.dumps({"do": what, **rest}) + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(timeout=60) == 0, "the probe ended well"


class Seen:
    """A request as it came: method, path, headers (names in lower case), body."""

    def __init__(self, handler, body):
        self.method, self.path, self.body = handler.command, handler.path, body
        self.headers = {name.lower(): value for name, value in handler.headers.items()}


class Server:
    """answer(seen) gives (status, headers, body); None: the connection is cut without a word."""

    def __init__(self, answer, port=0):
        self.seen = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536           # head and body leave together

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen = Seen(self, body)
                outer.seen.append(seen)
                answered = answer(seen)
                if answered is None:
                    self.close_connection = True
                    return
                status, headers, text = answered
                raw = text if isinstance(text, bytes) else text.encode()
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


passed = 0


def expect(good, what):
    global passed
    if not good:
        raise AssertionError(what)
    passed += 1
