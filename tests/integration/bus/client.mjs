// SPDX-License-Identifier: Apache-2.0
// A client of berth's bus in JavaScript, written from docs/bus.md and docs/events.md alone: npm
// zeromq and @msgpack/msgpack, nothing of berth's own. A story, one JSON line for each thing it saw:
//
//   client.mjs STATE NAME USER PROJECT KEY
//
// Beside client.py it shows the other way to publish: over the requests socket, where what the
// broker refuses has an answer.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { decode, encode } from "@msgpack/msgpack";
import { Dealer, Subscriber } from "zeromq";

class BusError extends Error {
  constructor(kind, text) {
    super(`${kind}: ${text}`);
    this.kind = kind;
    this.text = text;
  }
}

const topicOf = (name, host) => (host ? `${name}.${host}.` : `${name}.`);
const inMs = (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref());

class Client {
  constructor(state, name) {
    this.name = name;
    this.boot = randomBytes(8).toString("hex");
    this.ids = 0;
    this.pending = new Map();    // request id -> {resolve, reject, timer}
    this.heard = [];             // events that nobody waited for yet
    this.waiting = [];           // {wanted, resolve}
    const bus = readFileSync(`${state}/bus.toml`, "utf8");
    const address = (key) => bus.match(new RegExp(`^${key} *= *"([^"]*)"`, "m"))[1];
    const [publicKey, secretKey] = readFileSync(`${state}/keys/${name}.key`, "utf8").trim().split(" ");
    const options = {
      curveServerKey: readFileSync(`${state}/keys/broker.pub`, "utf8").trim(),
      curvePublicKey: publicKey,
      curveSecretKey: secretKey,
      maxMessageSize: 64 * 1024 * 1024 + 64,
      immediate: true,
      linger: 500,
      heartbeatInterval: 1000,
      heartbeatTimeout: 3000,
      heartbeatTimeToLive: 6000,
      reconnectInterval: 100,
      reconnectMaxInterval: 2000,
    };
    this.requests = new Dealer(options);
    this.requests.connect(address("requests"));
    this.events = new Subscriber(options);
    this.events.connect(address("events_out"));
    this.reading = [this.readReplies(), this.readEvents()];
  }

  async close() {
    for (const one of this.pending.values()) clearTimeout(one.timer);
    this.requests.close();
    this.events.close();
    await Promise.allSettled(this.reading);
  }

  envelope(name, data, more = {}) {
    return {
      specversion: "1.0",
      id: `${this.boot}-${++this.ids}`,
      source: `/berth/${this.name}/${this.boot}`,
      type: `io.berth.${name}.v1`,
      time: new Date().toISOString(),
      datacontenttype: "application/msgpack",
      ...more,
      data,
    };
  }

  async readReplies() {
    for await (const [topic, body, tail] of this.requests) {
      const stamp = decode(tail);
      const one = this.pending.get(stamp.tag);
      if (topic.toString() !== "reply." || !one) continue;    // late
      this.pending.delete(stamp.tag);
      clearTimeout(one.timer);
      const reply = decode(body, { useBigInt64: true });
      if (reply.error) one.reject(new BusError(reply.error.kind, reply.error.text));
      else one.resolve(reply.data ?? {});
    }
  }

  async readEvents() {
    for await (const [topic, body, tail] of this.events) {
      const stamp = decode(tail);
      const envelope = decode(body, { useBigInt64: true });
      if (!envelope.source.startsWith(`/berth/${stamp.sender}/`)) continue;
      const [first, second, key] = topic.toString().split(".");
      const event = { name: `${first}.${second}`, key, envelope, data: envelope.data ?? {}, ...stamp };
      const at = this.waiting.findIndex((one) => one.wanted(event));
      if (at >= 0) this.waiting.splice(at, 1)[0].resolve(event);
      else if (event.name !== "broker.beat") this.heard.push(event);
    }
  }

  send(name, envelope, host) {
    return this.requests.send([topicOf(name, host), encode(envelope)]);
  }

  async request(name, data, { timeout = 30_000, host } = {}) {
    const deadline = new Date(Date.now() + timeout).toISOString();
    const envelope = this.envelope(name, data, { deadline });
    const answer = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(envelope.id);
        reject(new BusError("timeout", `${name} was not answered by its deadline; ask again with the same key`));
      }, timeout);
      this.pending.set(envelope.id, { resolve, reject, timer });
    });
    await this.send(name, envelope, host);
    return answer;
  }

  // Over the requests socket there is no answer when all is well, and an error reply when not.
  async publish(name, data, { host, refusedWithin = 200 } = {}) {
    const envelope = this.envelope(name, data);
    const refused = new Promise((resolve, reject) => this.pending.set(envelope.id, { resolve, reject }));
    await this.send(name, envelope, host);
    await Promise.race([refused, inMs(refusedWithin)]).finally(() => this.pending.delete(envelope.id));
  }

  // When it resolves, every subscription before it is in force.
  async subscribe(...names) {
    const beat = this.event((event) => event.name === "broker.beat", 10_000);
    for (const name of [...names, "broker.beat"]) this.events.subscribe(name ? topicOf(name) : "");
    await beat;
  }

  event(wanted, within = 10_000) {
    const at = this.heard.findIndex(wanted);
    if (at >= 0) return Promise.resolve(this.heard.splice(at, 1)[0]);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new BusError("timeout", `no such event within ${within} ms`)), within);
      this.waiting.push({ wanted, resolve: (event) => (clearTimeout(timer), resolve(event)) });
    });
  }
}

const say = (saw, more = {}) => console.log(JSON.stringify({ saw, ...more }));

const [state, name, user, project, key] = process.argv.slice(2);
const client = new Client(state, name);
await client.subscribe("");
const granted = await client.request("allocator.claim", { key: `${key}-request`, user, project });
say("granted by request", { workspace: granted.workspace, link: granted.link !== "", state: granted.state });
const lease = await client.event((event) => event.name === "lease.granted");
say("tapped", { name: lease.name, sender: lease.sender, role: lease.role, workspace: lease.data.workspace,
                reason: lease.envelope.reason.why, position: lease.envelope.ledgerposition });

await client.publish("claim.requested", { key: `${key}-published`, user, project: `${project}-2` });
const accepted = await client.event((event) => event.name === "claim.accepted" && event.data.key === `${key}-published`
                                             && event.data.principal === name);
const published = await client.event((event) => event.name === "claim.granted" && event.data.claim === accepted.data.claim);
const outcome = await client.request("allocator.claim_outcome", { key: `${key}-published` });
say("granted by publishing", { workspace: published.data.workspace, link: outcome.link !== "", state: outcome.state });

for (const workspace of [granted.workspace, published.data.workspace]) {
  const done = await client.request("allocator.release", { target: { workspace }, why: "the story ends" });
  say("released", { workspace, count: done.count });
  await client.event((event) => event.name === "workspace.stopped" && event.data.workspace === workspace);
  say("stopped", { workspace });
}
for (const forbidden of ["claim.granted", "workspace.idle"]) {
  await client.publish(forbidden, {}, { host: forbidden === "workspace.idle" ? "h-1" : undefined, refusedWithin: 5000 })
    .then(() => say("NOT refused", { name: forbidden }), (error) => say("refused", { kind: error.kind, text: error.text }));
}
say("end");
await client.close();
