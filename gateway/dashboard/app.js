// SPDX-License-Identifier: Apache-2.0
// The dashboard: reads the API with the token of this tab, follows the events that stream.js shares among
// all tabs, and reads again what an event may have changed. Text only ever becomes text nodes, never markup.
'use strict';

const REFRESH_MS = 400;          // after an event, all reads of a burst are one
const POLL_MS = 15000;           // and without one
const EVENTS_KEPT = 300;
const RETRY_MS = 2000;
const ASK_MS = 4000;            // a claim holds a connection that long at most; its key finds it again
const CLAIM_MS = 120000;
const EVENTS_BEFORE = 40;       // facts of before that a fresh page shows
const BEATS = new Set(['host.heartbeat', 'host.activity', 'provider.snapshot']);

const $ = (id) => document.getElementById(id);
const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'onclick') node.addEventListener('click', value);
    else if (key === 'text') node.textContent = value;
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

// ---- who: the token from #token=… once, then of this tab only; without one, the session that the browser's cookie shows

let token = sessionStorage.getItem('berth-token') || '';
const handed = new URLSearchParams(location.hash.slice(1)).get('token');
if (handed) {
  token = handed;
  sessionStorage.setItem('berth-token', token);
  history.replaceState(null, '', location.pathname);
}
const bearer = () => (token ? { Authorization: `Bearer ${token}` } : {});
let me = null;
let shared = null;               // port of the stream that all tabs share
let stream = null;               // AbortController of an own one, where nothing is shared
let lastEventId = '';

// People paste quotes, blanks and line ends along. Nothing when no header can carry what is left.
function usable(text) {
  const around = '[\\s\\u200b-\\u200d\\u2060\\ufeff"\'`\\u2018\\u2019\\u201c-\\u201f\\u00ab\\u00bb]+';
  const bare = text.replace(new RegExp(`^${around}|${around}$`, 'g'), '');
  return /^[\x21-\x7e]{1,512}$/.test(bare) ? bare : '';
}

async function call(method, path, body, headers = {}, signal = undefined) {
  const answer = await fetch(path, {
    method, cache: 'no-store', signal,
    headers: { ...bearer(), ...(body ? { 'Content-Type': 'application/json' } : {}), ...headers },
    body: body ? JSON.stringify(body) : undefined,
  });
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  const error = new Error(said.detail || said.error || `HTTP ${answer.status}`);
  error.status = answer.status;
  throw error;
}

async function all(path, name) {
  const items = [];
  let next = '';
  for (let page = 0; page < 50; page += 1) {
    const join = path.includes('?') ? '&' : '?';
    const part = await call('GET', next ? `${path}${join}cursor=${encodeURIComponent(next)}` : path);
    items.push(...part[name]);
    if (!part.next) break;
    next = part.next;
  }
  return items;
}

// ---- words

const clock = (iso) => (iso ? new Date(iso).toLocaleTimeString([], { hour12: false }) : '');
function span(ms) {
  const s = Math.round(Math.abs(ms) / 1000);
  const min = Math.round(s / 60);
  if (s < 90) return `${s} s`;
  if (min < 90) return `${min} min`;
  if (min < 2880) return `${Math.floor(min / 60)} h${min % 60 ? ` ${min % 60} min` : ''}`;
  return `${Math.round(min / 1440)} d`;
}
function when(iso) {
  if (!iso) return el('span', { text: '–' });
  const ms = Date.parse(iso) - Date.now();
  return el('time', { datetime: iso, title: new Date(iso).toLocaleString(), text: ms >= 0 ? `in ${span(ms)}` : `${span(ms)} ago` });
}
// Which signal holds a workspace and since when, or when it may be taken for idle.
function used(one) {
  const use = one.use;
  if (!use) return '';
  if (!use.known) return `unknown: ${use.text}`;
  if (use.since) return `${use.text} for ${span(Date.now() - Date.parse(use.since))}`;
  const idle = use.idle_at && !one.idle_stop_at ? Date.parse(use.idle_at) - Date.now() : 0;
  return `${use.text}, ${span(Math.max(0, Date.now() - Date.parse(use.last_at)))} ago${idle > 0 ? `, idle in ${span(idle)}` : ''}`;
}
const tag = (word) => el('span', { class: `tag ${word}`, text: word });
const many = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;
const none = (text) => el('p', { class: 'empty', text });
function table(heads, rows) {
  const head = el('tr', {}, ...heads.map((h) => el('th', { scope: 'col', class: h.startsWith('~') ? 'wide' : null, text: h.replace('~', '') })));
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'table' },
            el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows)));
}

// ---- sections

function showPools(pools) {
  $('pools').replaceChildren(...(pools.length ? pools.map((pool) => {
    const strip = el('div', { class: 'strip', role: 'img', 'aria-label': `${pool.leased} of ${pool.slots} slots leased` });
    const parts = [['leased', pool.leased], ['busy', pool.stopping], ['quarantined', pool.quarantined], ['free', pool.ready]];
    for (const [name, count] of parts) {
      if (!count) continue;
      const part = el('i', { class: name, title: `${name} ${count}` });
      part.style.flexGrow = String(count);
      strip.append(part);
    }
    const rest = pool.slots - parts.reduce((sum, [, count]) => sum + count, 0);
    if (rest > 0) { const part = el('i'); part.style.flexGrow = String(rest); strip.append(part); }
    const figure = (count, word) => el('span', {}, el('b', { text: String(count) }), ` ${word}`);
    return el('article', { class: 'card' },
      el('h3', {}, pool.pool, el('small', { text: `${pool.provider || ''} · ${pool.hosts} of ${many(pool.hosts_max, 'host')} · keeps ${many(pool.buffer, pool.buffer_unit.replace(/s$/, ''))} ready` })),
      strip,
      el('p', { class: 'figures' }, figure(pool.leased, 'leased'), figure(pool.ready, 'ready'),
        pool.stopping ? figure(pool.stopping, 'stopping') : null, pool.quarantined ? figure(pool.quarantined, 'quarantined') : null,
        pool.launching ? figure(pool.launching, pool.launching === 1 ? 'host launching' : 'hosts launching') : null, pool.waiting ? figure(pool.waiting, 'waiting') : null,
        pool.microdollars_per_hour ? figure(`$${(pool.microdollars_per_hour / 1e6).toFixed(2)}`, 'an hour') : null));
  }) : [none('No pool is known. Pools stand in berth.toml as [pool.<name>].')]));
}

const phases = new Map();        // claim → what its progress said last
let openKeys = new Set();        // of claims that still wait
function showWaiting(claims) {
  const open = claims.filter((claim) => claim.state === 'waiting' || claim.state === 'starting');
  openKeys = new Set(open.map((claim) => claim.key));
  $('waiting').replaceChildren(...(open.length ? [table(['Waiting', '~Pool', 'State', 'Place', 'Phase', 'Since'], open.map((claim) =>
    el('tr', {}, el('td', { text: `${claim.user} / ${claim.project}` }), el('td', { class: 'wide', text: claim.pool }), el('td', {}, tag(claim.state)),
      el('td', { text: claim.place ? String(claim.place) : '' }), el('td', { text: phases.get(claim.claim) || '' }), el('td', {}, when(claim.accepted_at)))))] : []));
}

let workspaces = [];
function showWorkspaces() {
  const wanted = $('filter').value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const shown = workspaces.filter((one) => ($('ended').checked || one.state !== 'destroyed') &&
    wanted.every((word) => `${one.user} ${one.project} ${one.state} ${one.host} ${one.workspace} ${one.pool}`.toLowerCase().includes(word)));
  shown.sort((a, b) => (a.state === 'active' ? 0 : 1) - (b.state === 'active' ? 0 : 1) || (a.changed_at < b.changed_at ? 1 : -1));
  $('workspaces-count').textContent = String(shown.length);
  const act = (one, verb, label, more = {}) => el('button', { type: 'button', class: `quiet ${more.danger ? 'danger' : ''}`,
    'aria-label': `${label} ${one.user}/${one.project}`, text: label, onclick: (event) => doIt(event.currentTarget, one, verb, more) });
  $('workspaces').replaceChildren(shown.length ? table(['Project', 'User', 'State', '~Host', '~Ends', ''], shown.map((one) => {
    const acts = el('td', { class: 'acts' });
    if (one.state === 'active') acts.append(act(one, 'link', 'Open'), act(one, 'extend', '+1 h'), act(one, 'stop', 'Stop'));
    if (one.state === 'stopped') acts.append(act(one, 'start', 'Start'), act(one, 'destroy', 'Destroy', { danger: true }));
    acts.append(el('button', { type: 'button', class: 'quiet', 'aria-label': `Why ${one.user}/${one.project}`, text: 'Why', onclick: () => showWhy(one.workspace, `${one.user} / ${one.project}`) }));
    return el('tr', {}, el('td', { title: one.workspace, text: one.project }), el('td', { text: one.user }), el('td', { title: used(one) }, tag(one.state), used(one) ? el('small', { text: ` ${used(one)}` }) : '',
      one.incident ? el('p', { class: 'bad', text: one.incident }) : ''),
      el('td', { class: 'wide', text: one.leased ? `${one.host} · ${one.slot}` : '–' }),
      el('td', { class: 'wide' }, one.state === 'active' ? when(one.idle_stop_at || one.expires_at) : el('span', { text: '–' })), acts);
  })) : none(workspaces.length ? 'None fits the filter.' : 'No workspace yet. Claim one above, or with: berth claim <project>'));
}

function showHosts(hosts) {
  const alive = hosts.filter((host) => host.liveness !== 'gone');
  $('hosts-count').textContent = String(alive.length);
  $('hosts').replaceChildren(...(alive.length ? alive.map((host) => {
    const slots = host.slots.map((slot, index) => {
      const phase = host.phases && host.phases[index];
      const look = slot.use === 'leased' ? (phase && phase !== 'bound' ? 'busy' : 'leased') : slot.use === 'stopping' ? 'busy'
        : slot.use === 'quarantined' || phase === 'broken' ? 'quarantined' : phase === 'prepared' ? 'prepared' : phase === 'preparing' ? 'busy' : 'free';
      const owner = workspaces.find((one) => one.workspace === slot.workspace);
      const title = `slot ${index}: ${slot.use}${phase ? `, ${phase}` : ''}${owner && slot.workspace ? `, ${owner.user}/${owner.project}` : ''}`;
      return slot.workspace && slot.use !== 'free'
        ? el('button', { type: 'button', class: `slot ${look}`, title, 'aria-label': title, onclick: () => showWhy(slot.workspace, owner ? `${owner.user} / ${owner.project}` : slot.workspace) })
        : el('span', { class: `slot ${look}`, title });
    });
    const load = el('div', { class: 'load' });
    for (const [key, word] of [['cpu', 'cpu'], ['memory', 'mem'], ['disk', 'disk']]) {
      if (!host.load) break;
      const share = host.load[key];
      load.append(el('span', { text: word }), el('meter', { min: 0, max: 1, high: 0.85, value: share.toFixed(3), 'aria-label': `${word} of ${host.host}` }), el('span', { text: `${Math.round(share * 100)} %` }));
    }
    const state = host.liveness === 'live' ? host.admission : host.liveness;
    return el('article', { class: 'card' },
      el('h3', {}, host.host, tag(state), el('small', { text: `${host.public_ip || host.private_ip} · ${host.pool}` })),
      host.impaired ? el('p', { class: 'bad', text: `It can start nothing: ${host.impaired}` }) : '',
      el('div', { class: 'slots', role: 'group', 'aria-label': `slots of ${host.host}` }, ...slots), load);
  }) : [none('No host yet. The scaler launches them; see Capacity above and the events below.')]));
}

async function showWhy(subject, title) {
  const facts = await all(`/v1/facts?subject=${encodeURIComponent(subject)}`, 'facts');
  $('why-title').textContent = title;
  $('why-list').replaceChildren(...facts.slice(-100).map((fact) => el('li', {}, el('span', { class: 'mono', text: fact.type }), ' ',
    el('time', { class: 'count', datetime: fact.at, text: new Date(fact.at).toLocaleString() }), el('br'), fact.reason.why,
    el('small', { text: [`by ${fact.reason.actor}`, ...[].concat(fact.reason.evidence || [])].join(' · ') }))));
  $('why').showModal();
}

// ---- acts

async function doIt(button, one, verb, more) {
  if (more.danger && !confirm(`Erase the files of ${one.user}/${one.project} for good?`)) return;
  const tab = verb === 'link' ? window.open('about:blank') : null;   // at once, or it counts as a pop-up
  button.disabled = true;
  try {
    const body = verb === 'extend' ? { expires_at: new Date(Math.max(Date.parse(one.expires_at), Date.now()) + 3600000).toISOString().replace(/\.\d+Z$/, 'Z') }
      : verb === 'link' || verb === 'start' ? {} : { why: 'asked for on the dashboard' };
    const answer = await call('POST', `/v1/workspaces/${encodeURIComponent(one.workspace)}/${verb}`, body);
    if (tab) { tab.opener = null; tab.location.replace(answer.link); }
  } catch (error) {
    if (tab) tab.close();
    note(`${verb} of ${one.user}/${one.project}: ${error.message}`);
  }
  button.disabled = false;
  refresh();
}

// A claim may wait for minutes, a browser's connections are six: it is let go after a moment and taken up
// again by its key when it is no longer among those that wait.
async function claimed(body, key, begun) {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  for (;;) {
    const hurry = new AbortController();
    const timer = setTimeout(() => hurry.abort(), ASK_MS);
    try {
      const left = Math.max(1000, begun + CLAIM_MS - Date.now());
      return await call('POST', '/v1/claims', { ...body, wait_ms: left }, { 'Idempotency-Key': key }, hurry.signal);
    } catch (error) {
      if (!hurry.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
    refresh();
    await pause(1000);
    while (openKeys.has(key) && Date.now() < begun + CLAIM_MS) await pause(250);
  }
}

async function claim(event) {
  event.preventDefault();
  const body = { project: $('claim-project').value.trim() };
  if (me.role === 'operator') body.user = $('claim-user').value.trim();
  const key = `page-${crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random().toString(36).slice(2)}`}`;
  const said = $('claim-said');
  const begun = Date.now();
  said.className = '';
  const tick = setInterval(() => { said.textContent = `waiting … ${span(Date.now() - begun)}`; }, 1000);
  said.textContent = 'waiting …';
  try {
    const answer = await claimed(body, key, begun);
    const open = el('a', { href: answer.link, target: '_blank', rel: 'noopener noreferrer', text: `Open ${answer.project}` });
    said.replaceChildren(`${answer.state} after ${((Date.now() - begun) / 1000).toFixed(1)} s. `, open, ' (once, within 60 s)');
  } catch (error) {
    said.className = 'bad';
    said.textContent = error.message;
  }
  clearInterval(tick);
  refresh();
}

function note(text) {
  const said = $('claim-said');
  said.className = 'bad';
  said.textContent = text;
}

// ---- reading again

let planned = 0;
let reading = false;
function refresh(after = 0) {
  if (!planned) planned = setTimeout(readAll, after);
}
async function readAll() {
  planned = 0;
  if (!me) return;
  if (reading) return refresh(REFRESH_MS);
  reading = true;
  try {
    const operator = me.role === 'operator';
    const [pools, list, claims, hosts] = await Promise.all([all('/v1/pools', 'pools'), all('/v1/workspaces', 'workspaces'),
      all('/v1/claims?state=waiting', 'claims').then(async (w) => [...w, ...await all('/v1/claims?state=starting', 'claims')]),
      operator ? all('/v1/hosts', 'hosts') : []]);
    workspaces = list;
    showPools(pools);
    showWaiting(claims);
    showWorkspaces();
    showHosts(hosts);
    await readHealth();
  } catch (error) {
    if (!me) return;             // left meanwhile
    if (error.status === 401) return forget(error.message);
    setHealth('failing', error.message);
  } finally {
    reading = false;
  }
}
async function readHealth() {
  const health = await fetch('/health', { cache: 'no-store' }).then((answer) => answer.json());
  setHealth(health.status, health.status === 'ok' ? `ok · ledger at ${health.position}` : health.error);
}
function setHealth(state, text) {
  $('health').className = `health ${state}`;
  $('health').textContent = text;
}

// ---- live events

let paused = false;
let held = [];
let recent = [];                  // times of the last minute's events
let gaps = 0;
function wantsEvent(name) {
  if (name === 'ledger.head' || (BEATS.has(name) && !$('event-beats').checked)) return false;
  const words = $('event-filter').value.trim().split(/[\s,]+/).filter(Boolean);
  return !words.length || words.some((word) => name.startsWith(word));
}
function sayOf(name, event) {
  const data = event.data || {};
  const who = data.user ? `${data.user}/${data.project || ''}` : event.subject || data.workspace || data.host || data.text || event.text || '';
  return [who, data.phase, event.reason && event.reason.why].filter(Boolean).join(' · ');
}
function onEvent(name, id, event) {
  if (id) lastEventId = id;
  if (name === 'gap' || name === 'error') gaps += 1;
  const now = Date.now();
  recent.push(now);
  recent = recent.filter((at) => now - at < 60000);
  if (name === 'claim.progress') phases.set(event.data.claim, event.data.phase + (event.data.blocked_by ? ` (${event.data.blocked_by})` : ''));
  if (phases.size > 500) phases.clear();
  if (name !== 'ledger.head' && name !== 'host.activity' && name !== 'provider.snapshot') refresh(REFRESH_MS);
  if (wantsEvent(name)) {
    const line = el('li', {}, el('details', {}, el('summary', {}, el('time', { text: clock(event.time) || clock(new Date().toISOString()) }),
      el('span', { class: `name ${name === 'gap' || name === 'error' ? 'gap' : ''}`, text: name }), el('span', { class: 'said', text: sayOf(name, event) })),
      el('pre', { text: JSON.stringify(event, null, 2) })));
    if (paused) held = [line, ...held].slice(0, EVENTS_KEPT);
    else putEvents([line]);
  }
  showRate();
}
function putEvents(lines) {
  const list = $('events');
  list.prepend(...lines);
  while (list.childElementCount > EVENTS_KEPT) list.lastElementChild.remove();
}
function showRate() {
  $('events-rate').textContent = `${recent.length} in the last minute${gaps ? ` · ${gaps} gaps` : ''}${paused ? ` · paused, ${held.length} held back` : ''}`;
}

function follow() {
  unfollow();
  if (!window.SharedWorker) return followAlone();
  const worker = new SharedWorker('/dashboard/stream.js');
  shared = worker.port;
  const mine = shared;
  worker.onerror = () => { if (shared === mine) { shared = null; followAlone(); } };
  mine.onmessage = ({ data }) => {
    if (shared !== mine) return;
    if (data.failing) setHealth('failing', data.failing);
    for (const frame of data.frames || []) readFrame(frame);
    refresh(REFRESH_MS);
  };
  mine.postMessage({ token, before: EVENTS_BEFORE });
}
function unfollow() {
  if (shared) shared.postMessage({ bye: true });
  if (stream) stream.abort();
  shared = null;
  stream = null;
}
window.addEventListener('pagehide', unfollow);
window.addEventListener('pageshow', (event) => { if (event.persisted && me) { follow(); refresh(); } });
// Without a shared stream a tab that nobody sees gives its own up.
document.addEventListener('visibilitychange', () => {
  if (window.SharedWorker && shared || !me) return;
  if (document.hidden) unfollow();
  else if (!stream) { followAlone(); refresh(); }
});

async function followAlone() {
  if (document.hidden) return;
  stream = new AbortController();
  const mine = stream;
  try {
    const from = lastEventId ? '' : `?from=${Math.max(1, Number((await call('GET', '/v1/status')).position) - EVENTS_BEFORE)}`;
    const answer = await fetch(`/v1/events${from}`, { cache: 'no-store', signal: mine.signal,
      headers: { ...bearer(), ...(lastEventId ? { 'Last-Event-ID': lastEventId } : {}) } });
    if (!answer.ok) throw new Error(`the event stream answered ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      rest += value;
      const frames = rest.split('\n\n');
      rest = frames.pop();
      for (const frame of frames) readFrame(frame);
    }
  } catch (error) {
    if (mine.signal.aborted) return;
    setHealth('failing', error.message);
  }
  if (me && mine === stream) setTimeout(() => { if (mine === stream) followAlone(); }, RETRY_MS);
}
function readFrame(frame) {
  if (!me) return;
  let name = 'message', id = '', data = '';
  for (const line of frame.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('id: ')) id = line.slice(4);
    else if (line.startsWith('data: ')) data += line.slice(6);
  }
  if (data) onEvent(name, id, JSON.parse(data));
}

// ---- in and out

async function enter() {
  if (token && !usable(token)) return forget('This token holds a character that no token has. Paste it again, plainly.');
  token = usable(token);
  if (token) sessionStorage.setItem('berth-token', token);
  try {
    const signedIn = token || (await call('GET', '/v1/session')).signed_in;
    $('enter').hidden = Boolean(signedIn);
    if (!signedIn) { readHealth().catch(() => setHealth('failing', 'the gateway does not answer')); $('token').focus(); return; }
    me = await call('GET', '/v1/me');
  } catch (error) {
    // What will not be another answer next time leads back to the form.
    if (error.status >= 400 && error.status < 500 && error.status !== 408 && error.status !== 429) return forget(error.message);
    setHealth('failing', error.message);
    setTimeout(enter, RETRY_MS);
    return;
  }
  $('me').textContent = `${me.user} (${me.role})`;
  $('leave').hidden = false;
  $('content').hidden = false;
  $('hosts-section').hidden = me.role !== 'operator';
  $('claim-user-label').hidden = me.role !== 'operator';
  $('claim-user').required = me.role === 'operator';
  refresh();
  follow();
}
async function leave() {
  if (!token) await call('POST', '/v1/session/end', {}).catch((error) => note(error.message));
  forget('');
}
function forget(why) {
  sessionStorage.removeItem('berth-token');
  token = '';
  me = null;
  unfollow();
  $('content').hidden = true;
  $('leave').hidden = true;
  $('me').textContent = '';
  $('token-error').textContent = why || '';
  enter();
}

$('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  token = $('token').value.trim();
  $('token').value = '';
  $('token-error').textContent = '';
  enter();
});
$('leave').addEventListener('click', leave);
$('claim-form').addEventListener('submit', claim);
$('filter').addEventListener('input', showWorkspaces);
$('ended').addEventListener('change', showWorkspaces);
$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').textContent = paused ? 'Go on' : 'Pause';
  $('pause').setAttribute('aria-pressed', String(paused));
  if (!paused) { putEvents(held); held = []; }
  showRate();
});
setInterval(() => {
  if (shared) shared.postMessage({ here: true });
  if (me) refresh();
}, POLL_MS);
enter();
