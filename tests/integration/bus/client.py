# SPDX-License-Identifier: Apache-2.0
"""A client of berth's bus in Python, written from docs/bus.md and docs/events.md alone: python3-zmq,
python3-msgpack, nothing of berth's own. Importable (tests/e2e), and a story when run:

    client.py STATE NAME USER PROJECT KEY     claims by request and by publishing, taps, releases;
                                              one JSON line for each thing that it saw
"""
import datetime
import json
import os
import secrets
import sys
import time
import tomllib

try:
    import msgpack
    import zmq
except ModuleNotFoundError:     # another Python 3.11 comes first in PATH; Debian's packages fit it
    sys.path.append("/usr/lib/python3/dist-packages")
    import msgpack
    import zmq

FRAME_MAX = 64 * 1024 * 1024    # the allocator's answers; what we send may have 1 MiB
DEPTH_AND_ITEMS = {"max_array_len": 1_000_000, "max_map_len": 1_000_000}
CURVE_OVERHEAD = 64


class BusError(Exception):
    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


def rfc3339(seconds):
    at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def enrol(state, name, role):
    """Mints a key and makes it known to the broker: a file that appears whole."""
    keys = os.path.join(state, "keys")
    public, secret = (half.decode() for half in zmq.curve_keypair())
    for path, text in ((f"{keys}/{name}.key", f"{public} {secret}\n"), (f"{keys}/peers/{name}", f"{role} {public}\n")):
        beside = os.path.join(os.path.dirname(path), f".new-{secrets.token_hex(8)}")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        os.rename(beside, path)


class Event:
    """What the broker delivered: who sent it (`sender`, `role`: proved by a key), and what it says."""

    def __init__(self, topic, envelope, stamp):
        first, second, *key = topic.split(".")
        self.name = f"{first}.{second}"
        self.key = key[0] if len(key) > 1 else ""
        self.envelope = envelope
        self.sender = stamp["sender"]
        self.role = stamp["role"]
        self.data = envelope.get("data", {})


class Client:
    def __init__(self, state, name, role="client"):
        self.name = name
        self.role = role
        self.boot = secrets.token_hex(8)
        self.source = f"/berth/{name}/{self.boot}"
        self.ids = 0
        self.sequences = {}     # ours, by topic
        self.seen = {}          # of others: (source, topic) -> last sequence
        self.lost = 0           # events that we know we missed
        with open(os.path.join(state, "bus.toml"), "rb") as file:
            self.addresses = tomllib.load(file)["bus"]
        with open(os.path.join(state, "keys", "broker.pub")) as file:
            self.broker_key = file.read().strip().encode()
        with open(os.path.join(state, "keys", f"{name}.key")) as file:
            self.public_key, self.secret_key = (half.encode() for half in file.read().split())

    def __enter__(self):
        self.context = zmq.Context()
        self.requests = self._connect(zmq.DEALER, "requests")
        self.listening = self._connect(zmq.SUB, "events_out")
        self.publishing = self._connect(zmq.XPUB, "events_in")
        self.broker_listens = False
        return self

    def __exit__(self, *_):
        self.context.destroy(linger=500)

    def _connect(self, kind, address):
        socket = self.context.socket(kind)
        socket.curve_serverkey = self.broker_key
        socket.curve_publickey = self.public_key
        socket.curve_secretkey = self.secret_key
        socket.maxmsgsize = FRAME_MAX + CURVE_OVERHEAD
        socket.immediate = 1
        socket.linger = 500
        socket.heartbeat_ivl, socket.heartbeat_timeout, socket.heartbeat_ttl = 1000, 3000, 6000
        socket.reconnect_ivl, socket.reconnect_ivl_max = 100, 2000
        socket.connect(self.addresses[address])
        return socket

    # ---- messages

    def _envelope(self, name, data, **more):
        self.ids += 1
        return {"specversion": "1.0", "id": f"{self.boot}-{self.ids}", "source": self.source,
                "type": f"io.berth.{name}.v1", "time": rfc3339(time.time()),
                "datacontenttype": "application/msgpack", **more, "data": data}

    @staticmethod
    def _topic(name, host):
        return f"{name}.{host}." if host else f"{name}."

    def _unpack(self, frames):
        if len(frames) != 3:
            raise BusError("invalid", f"{len(frames)} frames, not three")
        topic, envelope, stamp = frames
        envelope = msgpack.unpackb(envelope, **DEPTH_AND_ITEMS)
        stamp = msgpack.unpackb(stamp)
        if not envelope["source"].startswith(f"/berth/{stamp['sender']}/"):
            raise BusError("invalid", "the source is not the sender")
        return topic.decode(), envelope, stamp

    # ---- requests

    def request(self, name, data, timeout=30.0, host=None):
        """The reply's data. Raises BusError: the callee's, the broker's, or our own at the deadline."""
        deadline = time.monotonic() + timeout
        sent = self._envelope(name, data, deadline=rfc3339(time.time() + timeout))
        late = BusError("timeout", f"{name} was not answered by its deadline; ask again with the same key")
        if not self.requests.poll(timeout * 1000, zmq.POLLOUT):
            raise late
        self.requests.send_multipart([self._topic(name, host).encode(), msgpack.packb(sent)])
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not self.requests.poll(left * 1000):
                raise late
            topic, reply, stamp = self._unpack(self.requests.recv_multipart())
            if topic != "reply." or stamp["tag"] != sent["id"] or reply["correlationid"] != sent["id"]:
                continue        # late, of an earlier request
            if "error" in reply:
                raise BusError(reply["error"]["kind"], reply["error"]["text"])
            return reply.get("data", {})

    # ---- events

    def publish(self, name, data, host=None, within=10.0):
        """Waits until the broker listens, so that nothing falls in between."""
        deadline = time.monotonic() + within
        while self.publishing.poll(0) or not self.broker_listens:
            if not self.publishing.poll(max(0, deadline - time.monotonic()) * 1000):
                raise BusError("timeout", f"no broker takes events; {name} was not published")
            self.broker_listens = self.publishing.recv()[:1] == b"\x01"
        topic = self._topic(name, host)
        self.sequences[topic] = self.sequences.get(topic, 0) + 1
        envelope = self._envelope(name, data, sequence=str(self.sequences[topic]))
        self.publishing.send_multipart([topic.encode(), msgpack.packb(envelope)])
        return envelope["id"]

    def subscribe(self, *names, within=10.0):
        """To these events ("" for all). When it returns, all of them are in force."""
        for name in names:
            self.listening.setsockopt(zmq.SUBSCRIBE, (name + "." if name else "").encode())
        self.listening.setsockopt(zmq.SUBSCRIBE, b"broker.beat.")   # the last, and what follows proves it
        return self.next_event(within, wanted=lambda event: event.name == "broker.beat", beats=True)

    def next_event(self, within, wanted=lambda event: True, beats=False):
        """The next event that is wanted; BusError timeout when none comes. Counts what was missed."""
        deadline = time.monotonic() + within
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not self.listening.poll(left * 1000):
                raise BusError("timeout", f"no such event within {within} s")
            topic, envelope, stamp = self._unpack(self.listening.recv_multipart())
            event = Event(topic, envelope, stamp)
            if "sequence" in envelope:
                where, number = (envelope["source"], topic), int(envelope["sequence"])
                if where in self.seen and number > self.seen[where] + 1:
                    self.lost += number - self.seen[where] - 1
                self.seen[where] = max(number, self.seen.get(where, 0))
            if (beats or event.name != "broker.beat") and wanted(event):
                return event

    # ---- claims

    def claim(self, user, project, key, timeout=120.0):
        return self.request("allocator.claim", {"key": key, "user": user, "project": project}, timeout)

    def claim_outcome(self, key):
        return self.request("allocator.claim_outcome", {"key": key}, 10.0)

    def release(self, workspace, why, timeout=30.0):
        return self.request("allocator.release", {"target": {"workspace": workspace}, "why": why}, timeout)

    def claim_by_publishing(self, user, project, key, within=120.0):
        """Publishes claim.requested, again when nothing is heard (the key makes it one claim), and gives
        what claim.granted or claim.denied said, with `state` and, when granted, a fresh `link`."""
        end = time.monotonic() + within
        self.subscribe("claim.accepted", "claim.granted", "claim.denied")
        claim = None
        while time.monotonic() < end:
            if claim is None:
                self.publish("claim.requested", {"key": key, "user": user, "project": project})
            try:
                event = self.next_event(1.0, lambda seen: seen.data.get("key") == key and seen.role == "allocator")
            except BusError:    # quiet: perhaps it ended before we listened
                try:
                    outcome = self.claim_outcome(key)
                except BusError as error:
                    if error.kind in ("not_found", "unavailable", "timeout"):
                        continue                                    # never heard of: say it again
                    return {"state": "denied", "key": key, "kind": error.kind, "text": error.text}
                claim = outcome["claim"]
                if outcome["state"] == "granted":
                    return outcome
                continue
            if event.name == "claim.accepted":
                # Keys belong to who asked: another client may use the same one.
                claim = event.data["claim"] if event.data["principal"] == self.name else claim
            elif event.data["claim"] == claim:
                if event.name == "claim.denied":
                    return event.data
                return {**event.data, "state": "granted", "link": self.claim_outcome(key)["link"]}
        raise BusError("timeout", f"claim {key} has no outcome yet; ask for it by its key at any time")


def say(what, **more):
    print(json.dumps({"saw": what, **more}, default=str), flush=True)


def story(state, name, user, project, key):
    with Client(state, name) as client:
        client.subscribe("")                                        # a tap
        granted = client.claim(user, project, f"{key}-request")
        say("granted by request", workspace=granted["workspace"], link=bool(granted["link"]), state=granted["state"])
        lease = client.next_event(10, lambda event: event.name == "lease.granted")
        say("tapped", name=lease.name, sender=lease.sender, role=lease.role, reason=lease.envelope["reason"]["why"],
            position=lease.envelope["ledgerposition"], workspace=lease.data["workspace"])
        published = client.claim_by_publishing(user, project + "-2", f"{key}-published")
        say("granted by publishing", workspace=published["workspace"], link=bool(published["link"]),
            state=published["state"])
        again = client.claim_by_publishing(user, project + "-2", f"{key}-published")
        say("granted again", workspace=again["workspace"], same=again["epoch"] == published["epoch"])
        for workspace in (granted["workspace"], published["workspace"]):
            done = client.release(workspace, "the story ends")
            say("released", workspace=workspace, count=done["count"])
            client.next_event(10, lambda event, which=workspace: event.name == "workspace.stopped"
                              and event.data["workspace"] == which)
            say("stopped", workspace=workspace)
        try:
            client.request("allocator.reap", {"workspace": granted["workspace"], "epoch": "1", "cause": "x", "evidence": []})
        except BusError as error:
            say("refused", kind=error.kind, text=error.text)
        say("end", lost=client.lost)


if __name__ == "__main__":
    story(*sys.argv[1:6])
