# SPDX-License-Identifier: Apache-2.0
"""The front proxies of deploy/front, as they are shipped: only ports and certificates are others. And a client of them,
who speaks TLS to names that no DNS knows."""
import http.client
import os
import re
import socket
import ssl
import subprocess

from stage import HERE, Answer, WebSocket, wait_for

FOLDER = os.path.join(HERE, "../../deploy/front")
GATEWAY, APPS = "berth.example.org", "apps.example.org"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def make_certificate(folder):
    """Of both names, and of whatever else a person types: PEM of chain, key, and both in one."""
    chain, key, both = (os.path.join(folder, f"front.{end}") for end in ("pem", "key", "both.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=front",
                    "-addext", f"subjectAltName=DNS:{GATEWAY},DNS:*.{APPS}", "-keyout", key, "-out", chain], check=True, capture_output=True)
    with open(both, "w") as to:
        to.write(open(chain).read() + open(key).read())
    return chain, key, both


class FrontProxy:
    """One real front proxy on a port of loopback."""

    def __init__(self, kind, folder, port, gateway_port, edge_port, certificate):
        self.kind, self.folder, self.port = kind, os.path.join(folder, kind), port
        os.makedirs(self.folder)
        chain, key, both = certificate
        self.replaced = {"127.0.0.1:9092": f"127.0.0.1:{gateway_port}", "127.0.0.1:9481": f"127.0.0.1:{edge_port}",
                         "/etc/ssl/berth.pem": chain, "/etc/ssl/berth.key": key, "/etc/haproxy/berth.pem": both}
        self.log = os.path.join(self.folder, "log")
        command = getattr(self, f"_{kind}")()
        env = dict(os.environ, XDG_DATA_HOME=self.folder, XDG_CONFIG_HOME=self.folder, HOME=self.folder)
        self.process = subprocess.Popen(command, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT, env=env, start_new_session=True)
        wait_for(f"{kind} listens", self._listens, 20)

    def _listens(self):
        assert self.process.poll() is None, f"{self.kind} ended: {open(self.log, errors='replace').read()[-2000:]}"
        with socket.create_connection(("127.0.0.1", self.port), timeout=2):
            return True

    def _text(self, name, *more):
        """The shipped file with our ports and paths; each of them stands in it."""
        text = open(os.path.join(FOLDER, name)).read()
        for old, new in [pair for pair in self.replaced.items() if pair[0] in text] + list(more):
            assert old in text, f"{name} has no {old!r} any more"
            text = text.replace(old, new)
        return text

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as to:
            to.write(text)
        return path

    def _nginx(self):
        self._write("berth.conf", self._text("nginx.conf", ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl")))
        temporary = "".join(f"{part}_temp_path {self.folder}/{part};\n" for part in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        main = self._write("nginx.conf", f"daemon off;\nmaster_process off;\npid {self.folder}/pid;\nerror_log {self.log} warn;\nevents {{}}\n"
                                         f"http {{\naccess_log off;\n{temporary}include {self.folder}/berth.conf;\n}}\n")
        return ["nginx", "-c", main, "-p", self.folder, "-e", self.log]

    def _haproxy(self):
        return ["haproxy", "-db", "-f", self._write("haproxy.cfg", self._text("haproxy.cfg", ("bind :443 ssl", f"bind 127.0.0.1:{self.port} ssl")))]

    def _caddy(self):
        where = f"admin off\n\thttps_port {self.port}\n\tdefault_bind 127.0.0.1\n\tauto_https disable_redirects"
        return ["caddy", "run", "--adapter", "caddyfile", "--config", self._write("Caddyfile", self._text("Caddyfile", ("admin off", where)))]

    def end(self):
        self.process.terminate()
        self.process.wait(20)


class Client:
    """At an address of its own, with the certificate's word for who answers."""

    def __init__(self, port, certificate, address="127.0.0.1"):
        self.port, self.address = port, address
        self.context = ssl.create_default_context(cafile=certificate[0])

    def connect(self, name, timeout=20):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=timeout, source_address=(self.address, 0))
        try:
            return self.context.wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise

    def connection(self, name, timeout=20):
        """Kept alive, for several requests, also to other names."""
        made = http.client.HTTPConnection(name, self.port, timeout=timeout)
        made.sock = self.connect(name, timeout)
        return made

    def ask(self, name, path, method="GET", headers=None, body=None, connection=None, host=None, timeout=20):
        on = connection or self.connection(name, timeout)
        try:
            on.request(method, path, body=body, headers={"Host": host or f"{name}:{self.port}", **(headers or {})})
            return Answer(on.getresponse())
        finally:
            if not connection:
                on.close()

    def begin(self, name, path, headers=None, timeout=20):
        """An answer that goes on: how to cut it, and the response to read lines of."""
        on = self.connection(name, timeout)
        under = on.sock
        on.request("GET", path, headers={"Host": f"{name}:{self.port}", **(headers or {})})
        return lambda: under.shutdown(socket.SHUT_RDWR), on.getresponse()

    def socket(self, name, cookie, path="/ws"):
        return WebSocket("127.0.0.1", self.port, f"{name}:{self.port}", path, f"https://{name}:{self.port}", cookie, connected=self.connect(name))


def cookie_of(answer):
    """The session, and what a browser is told about it."""
    line = next(line for line in answer.headers.get_all("Set-Cookie") if not re.match(r"[^=]+=;", line))
    return line.split(";")[0], line
