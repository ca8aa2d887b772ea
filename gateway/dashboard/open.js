// SPDX-License-Identifier: Apache-2.0
// /open/<workspace>: looks at what became of it, starts it when the person says so, tells each phase as it comes, and
// goes there when it is ready. Text only ever becomes text nodes.
'use strict';

const LOOK_MS = 2000;
const ASK_MS = 4000;             // a claim holds a connection that long at most; its key finds it again
const WAIT_MS = 300000;
const PHASES_MAX = 30;

const $ = (id) => document.getElementById(id);
const id = location.pathname.split('/')[2];
const here = `/v1/workspaces/${encodeURIComponent(id)}`;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
let me = { role: 'user' };
let starting = false;

async function ask(method, path, body, headers = {}, signal = undefined) {
  const answer = await fetch(path, { method, cache: 'no-store', signal,
    headers: { ...(body ? { 'Content-Type': 'application/json' } : {}), ...headers }, body: body ? JSON.stringify(body) : undefined });
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  if (answer.status === 401) location.replace(`/sign-in?to=${encodeURIComponent(location.pathname)}`);
  const error = new Error(said.detail || said.error || `HTTP ${answer.status}`);
  error.status = answer.status;
  throw error;
}

function say(text) { $('said').textContent = text; }
function phase(text, begun) {
  const last = $('phases').lastElementChild;
  if (last && last.firstChild.textContent === text) return;
  const line = document.createElement('li');
  const took = document.createElement('small');
  took.textContent = `after ${((Date.now() - begun) / 1000).toFixed(1)} s`;
  line.append(text, took);
  $('phases').append(line);
  if ($('phases').childElementCount > PHASES_MAX) $('phases').firstElementChild.remove();
}

async function claimed(one, key, begun) {
  const body = { project: one.project, pool: one.pool, ...(me.role === 'operator' ? { user: one.user } : {}) };
  for (;;) {
    const left = begun + WAIT_MS - Date.now();
    if (left <= 0) throw new Error('nothing became free in time; it does not start later by itself');
    const hurry = new AbortController();
    const timer = setTimeout(() => hurry.abort(), ASK_MS);
    try {
      const answer = await ask('POST', '/v1/claims', { ...body, wait_ms: left }, { 'Idempotency-Key': key }, hurry.signal);
      if (answer.link) return answer.link;
      if (answer.over) throw new Error(answer.over.text);
    } catch (error) {
      if (!hurry.signal.aborted && error.status !== 502 && error.status !== 504 && !(error instanceof TypeError)) throw error;
    } finally {
      clearTimeout(timer);
    }
    await pause(500);
  }
}

async function start(one) {
  starting = true;
  $('start').hidden = true;
  $('bad').textContent = '';
  const begun = Date.now();
  const key = `open-${id}-${begun}-${Math.random().toString(36).slice(2)}`;
  const events = new EventSource(`/v1/events?types=claim.progress&subject=${encodeURIComponent(key)}`);
  events.addEventListener('claim.progress', (event) => {
    const { data } = JSON.parse(event.data);
    phase([data.phase, data.place ? `place ${data.place}` : '', data.blocked_by].filter(Boolean).join(', '), begun);
  });
  const tick = setInterval(() => say(`It is being started … ${Math.round((Date.now() - begun) / 1000)} s`), 250);
  try {
    const link = await claimed(one, key, begun);
    say('It is ready.');
    location.replace(link);
  } catch (error) {
    $('bad').textContent = error.message;
    say(`${one.project} could not be started.`);
    $('start').textContent = 'Try again';
    $('start').hidden = false;
    starting = false;
  }
  clearInterval(tick);
  events.close();
}

let workspace = null;
async function look() {
  workspace = await ask('GET', here);
  const name = `${workspace.project}${me.role === 'operator' ? ` of ${workspace.user}` : ''}`;
  $('title').textContent = `Opening ${name}`;
  document.title = `${workspace.project} · berth`;
  $('start').hidden = workspace.state !== 'stopped';
  if (workspace.state === 'active') {
    say('It is ready.');
    location.replace((await ask('POST', `${here}/link`, {})).link);
  } else if (workspace.state === 'stopped') {
    say(`${name} is stopped. Its files are kept.`);
    $('start').textContent = `Start ${workspace.project}`;
    $('start').focus();
  } else if (workspace.state === 'destroyed' || workspace.state === 'destroying') {
    say(`${name} was destroyed. Claim a new one from the dashboard.`);
  } else {
    say(`It is ${workspace.state} …`);
  }
}

async function follow() {
  $('other').href = `/sign-in?to=${encodeURIComponent(location.pathname)}`;
  for (;;) {
    try {
      me = await ask('GET', '/v1/session');
      if (!starting) await look();
      if (!starting) $('bad').textContent = '';
    } catch (error) {
      if (error.status === 404) { say('No workspace of yours is at this address.'); return; }
      if (!starting) $('bad').textContent = error.message;
    }
    await pause(LOOK_MS);
  }
}

$('start').addEventListener('click', () => start(workspace));
follow();
