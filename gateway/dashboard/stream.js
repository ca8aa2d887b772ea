// SPDX-License-Identifier: Apache-2.0
// One event stream for all tabs of a browser (a SharedWorker): browsers open six connections to a site,
// and a stream each would leave none for the seventh tab. One stream per token, a few tokens at once;
// tabs of further ones read again from time to time, as they do anyway.
'use strict';

const STREAMS_MAX = 3;
const KEPT_MAX = 300;            // events that a tab gets which comes later
const RETRY_MS = 2000;
const SILENT_MS = 200000;        // a tab says that it is there; hidden ones do so once a minute at most

const streams = new Map();       // token → { ports, kept, lastId, abort }
const tabs = new Map();          // port → { token, heardAt, before }

self.onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = ({ data }) => {
    if (data.bye) leave(port);
    else if (data.here) { const tab = tabs.get(port); if (tab) tab.heardAt = Date.now(); }
    else join(port, data);
  };
};

function join(port, { token, before }) {
  leave(port);
  tabs.set(port, { token, before, heardAt: Date.now() });
  const there = streams.get(token);
  if (there) {
    there.ports.add(port);
    port.postMessage({ frames: there.kept });
    return;
  }
  if (streams.size >= STREAMS_MAX) { port.postMessage({ busy: true }); return; }
  const stream = { ports: new Set([port]), kept: [], lastId: '', abort: new AbortController() };
  streams.set(token, stream);
  follow(token, stream, before);
}

function leave(port) {
  const tab = tabs.get(port);
  if (!tab) return;
  tabs.delete(port);
  const stream = streams.get(tab.token);
  if (!stream) return;
  stream.ports.delete(port);
  if (stream.ports.size) return;
  stream.abort.abort();
  streams.delete(tab.token);
  const next = [...tabs].find(([, other]) => !streams.has(other.token));
  if (next) join(next[0], next[1]);
}

const tell = (stream, message) => { for (const port of stream.ports) port.postMessage(message); };

async function follow(token, stream, before) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};   // else by the browser's session
  const options = { cache: 'no-store', signal: stream.abort.signal };
  while (streams.get(token) === stream) {
    try {
      let from = '';
      if (!stream.lastId) {
        const status = await fetch('/v1/status', { ...options, headers });
        if (status.ok) from = `?from=${Math.max(1, Number((await status.json()).position) - before)}`;
      }
      const answer = await fetch(`/v1/events${from}`, { ...options, headers: { ...headers, ...(stream.lastId ? { 'Last-Event-ID': stream.lastId } : {}) } });
      if (!answer.ok) throw new Error(`the event stream answered ${answer.status}`);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        rest += value;
        const frames = rest.split('\n\n');
        rest = frames.pop();
        take(stream, frames.filter((frame) => frame.includes('data: ')));
      }
    } catch (error) {
      if (stream.abort.signal.aborted) return;
      tell(stream, { failing: error.message });
    }
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}

function take(stream, frames) {
  if (!frames.length) return;
  for (const frame of frames) {
    const id = /^id: (.*)$/m.exec(frame);
    if (id) stream.lastId = id[1];
  }
  stream.kept = [...stream.kept, ...frames].slice(-KEPT_MAX);
  tell(stream, { frames });
}

setInterval(() => {
  for (const [port, tab] of [...tabs]) if (Date.now() - tab.heardAt > SILENT_MS) leave(port);
}, 30000);
