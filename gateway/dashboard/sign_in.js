// SPDX-License-Identifier: Apache-2.0
// The sign-in page. A link's secret stands behind '#', which no browser sends and no log shows; it is used when the
// person presses the button, so that neither a preview of the link nor another's link signs anybody in unasked.
'use strict';

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const wanted = query.get('to') || '';
const to = /^(\/open\/[a-z0-9-]{1,63}|\/sign-in\/login\?code=[A-Z-]{1,9})$/.test(wanted) ? wanted : '/dashboard';
let link = decodeURIComponent(location.hash.slice(1));
if (link) history.replaceState(null, '', location.pathname + location.search);

async function ask(method, path, body) {
  const answer = await fetch(path, { method, cache: 'no-store', headers: body ? { 'Content-Type': 'application/json' } : {}, body: body ? JSON.stringify(body) : undefined });
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  throw new Error(said.detail || said.error || `HTTP ${answer.status}`);
}

function show(session) {
  const user = link.includes(':') ? link.slice(0, link.indexOf(':')) : '';
  $('title').textContent = link ? `Sign in${user ? ` as ${user}` : ''}` : session.signed_in ? 'You are signed in' : 'Sign in';
  $('said').textContent = session.signed_in ? `You are signed in as ${session.user} (${session.role}).` : '';
  $('by-link').hidden = !link;
  $('by-provider').hidden = Boolean(link) || !session.provider;
  if (session.provider) {
    $('provider').textContent = `Sign in with ${session.provider}`;
    $('provider').href = `/sign-in/oidc?to=${encodeURIComponent(to)}`;
  }
  $('use-link').textContent = user ? `Sign in as ${user}` : 'Sign in';
  $('signed-in').hidden = Boolean(link) || !session.signed_in;
  $('on').href = to;
  $('by-token').hidden = Boolean(link);
  if (!session.signed_in && !link && !session.provider) $('secret').focus();
}

async function look() {
  show(await ask('GET', '/v1/session'));
  $('bad').textContent = '';
}

async function enter(body) {
  $('bad').textContent = '';
  try {
    await ask('POST', '/v1/session', body);
    location.replace(to);
  } catch (error) {
    link = '';
    show(await ask('GET', '/v1/session').catch(() => ({ signed_in: false })));
    $('bad').textContent = error.message;
  }
}

$('use-link').addEventListener('click', () => enter({ link }));
$('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('secret').value.trim();
  $('secret').value = '';
  const hash = text.indexOf('#');
  if (hash < 0) return enter({ token: text.slice(0, 200) });
  link = decodeURIComponent(text.slice(hash + 1));
  return enter({ link });
});
$('out').addEventListener('click', () => ask('POST', '/v1/session/end', {}).then(look).catch((error) => { $('bad').textContent = error.message; }));
look().catch((error) => { $('bad').textContent = error.message; });
