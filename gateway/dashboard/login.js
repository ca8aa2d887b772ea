// SPDX-License-Identifier: Apache-2.0
// Where a person confirms `berth login`: says which machine asks, from where, and as whom it will act.
'use strict';

const $ = (id) => document.getElementById(id);
let me = null;
let code = '';

async function ask(method, path, body) {
  const answer = await fetch(path, { method, cache: 'no-store', headers: body ? { 'Content-Type': 'application/json' } : {}, body: body ? JSON.stringify(body) : undefined });
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  throw new Error(said.detail || said.error || `HTTP ${answer.status}`);
}
const fail = (error) => { $('bad').textContent = error.message; };

async function look(typed) {
  $('bad').textContent = '';
  $('asks').hidden = true;
  const one = await ask('GET', `/v1/logins?code=${encodeURIComponent(typed)}`);
  code = one.code;
  $('code').value = code;
  $('said').textContent = `${one.machine || 'A command'} (it asks from ${one.address}) shows the code ${code}, and wants to act as ${me.user} (${me.role}). ` +
    'Let it only when you typed “berth login” there yourself.';
  $('asks').hidden = false;
  $('confirm').textContent = `Let it act as ${me.user}`;
}
async function answer(word) {
  const one = await ask('POST', '/v1/logins/answer', { code, answer: word });
  $('asks').hidden = true;
  $('form').hidden = true;
  $('said').textContent = one.state === 'confirmed' ? 'Done. You can close this page and go on at the command.' : 'Refused: it gets nothing.';
}
async function enter() {
  me = await ask('GET', '/v1/session');
  const typed = new URLSearchParams(location.search).get('code') || '';
  if (!me.signed_in) return location.replace(`/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`);
  if (typed) return look(typed);
  $('said').textContent = 'Type the code that “berth login” shows.';
  return $('code').focus();
}

$('form').addEventListener('submit', (event) => { event.preventDefault(); look($('code').value).catch(fail); });
$('confirm').addEventListener('click', () => answer('confirm').catch(fail));
$('refuse').addEventListener('click', () => answer('refuse').catch(fail));
enter().catch(fail);
