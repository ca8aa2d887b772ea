// SPDX-License-Identifier: Apache-2.0
// Tells the host's agent whether a person is at this window, and the person when the workspace is about to
// stop. One note per window, replaced every few seconds, in a folder that the agent reads
// (hostagent/presence.hpp has its form); a note that grows old makes the agent unsure, never sure. VS Code
// says "active" for a minute after a key or a click; scrolling, which it does not count, is seen by the
// lines that come into view.
'use strict';
const fs = require('fs');
const path = require('path');
const vscode = require('vscode');

const shared = process.env.BERTH_SHARED || '/berth';
const folder = path.join(shared, 'presence');
const noticeFile = path.join(shared, 'notice');
const writeEvery = 5000;
const noticeEvery = 1000;
const settleAfter = 200;        // what happens together is written once
const activeFor = 50000;        // at least, after the last key: VS Code says so 50 to 60 s long
const ownChange = 500;          // lines that move so soon after a change were moved by it
const leftover = 3600000;       // notes of windows that died without a word
const runningMax = 16;
const nameMax = 60;

function activate(context) {
  const file = path.join(folder, `${process.pid}-${Date.now().toString(36)}.note`);
  let touchedAt = 0;
  let how = '';
  let active = isActive();
  let changedAt = 0;
  let pending = null;
  let complained = false;
  const tasks = new Map();
  const sessions = new Map();

  function isActive() {
    const state = vscode.window.state;
    return state.active === undefined ? state.focused : state.active;
  }
  const plain = (name) => String(name).replace(/[^\x20-\x7e]/g, '?').slice(0, nameMax);

  function write() {
    pending = null;
    const lines = [`touched ${touchedAt} ${how}`, `active ${active ? 1 : 0}`];
    const running = (kind, all) => [...all.values()].slice(0, runningMax / 2).forEach((one) => lines.push(`${kind} ${one.since} ${plain(one.name)}`));
    running('task', tasks);
    running('debug', sessions);
    try {
      fs.writeFileSync(`${file}.new`, `${lines.join('\n')}\n`);
      fs.renameSync(`${file}.new`, file);
    } catch (error) {
      if (!complained) console.error(`berth: cannot write ${file}: ${error.message}`);
      complained = true;
    }
  }
  const soon = () => { pending = pending || setTimeout(write, settleAfter); };

  function touch(what, at = Date.now()) {
    if (at < touchedAt) return;
    touchedAt = at;
    how = plain(what);
    soon();
  }

  function look() {
    const now = isActive();
    if (now === active) return;
    active = now;
    if (active) touch('a key or a click'); else touch('a key or a click', Date.now() - activeFor);
    soon();
  }

  // A change is a person's only while the window is active: programs and extensions edit too.
  const whileActive = (what) => () => { if (isActive()) touch(what); };
  const isText = (document) => !['output', 'log', 'git', 'debug'].includes(document.uri.scheme);

  const keep = () => { touch('"keep it"'); hide(); };
  let shown = '';
  let told = '';
  let bar = null;
  let stopAt = 0;
  let leaveBar = null;
  let leaveAt = 0;

  function hide() {
    if (bar) bar.dispose();
    bar = null;
  }
  // Its machine is being emptied: nothing that a person does here keeps it, so there is nothing to click but to know.
  function tellLeaving(found) {
    if (!found) {
      if (leaveBar) leaveBar.dispose();
      leaveBar = null;
      leaveAt = 0;
      return;
    }
    const left = Math.max(0, Math.round((Number(found[1]) - Date.now()) / 1000));
    const clock = left >= 120 ? `${Math.round(left / 60)} min` : `${left} s`;
    if (leaveAt !== Number(found[1])) {
      leaveAt = Number(found[1]);
      const at = new Date(leaveAt).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
      vscode.window.showWarningMessage(`This workspace stops at ${at}, in ${clock}: ${found[2]}. Your files are kept; start it again afterwards.`, 'Understood');
    }
    leaveBar = leaveBar || vscode.window.createStatusBarItem('berth.leave', vscode.StatusBarAlignment.Left, 1001);
    leaveBar.text = `$(clock) its machine is emptied: stops in ${clock}`;
    leaveBar.tooltip = found[2];
    leaveBar.backgroundColor = new vscode.ThemeColor('statusBarItem.warningBackground');
    leaveBar.show();
  }
  function lookForNotice() {
    let text = '';
    try { text = fs.readFileSync(noticeFile, 'utf8').slice(0, 1000); } catch (error) { /* there is none */ }
    const happened = /^incident (.+)$/m.exec(text);
    if (happened && happened[1] !== told) vscode.window.showWarningMessage(`This workspace: ${happened[1]}`, 'Understood');
    told = happened ? happened[1] : '';
    text = text.replace(/^incident .*\n/m, '');
    tellLeaving(/^leave_at (\d{1,15}) (.*)$/m.exec(text));
    text = text.replace(/^leave_at .*\n/m, '');
    const found = /^stop_at (\d{1,15})\nquiet_ms (\d{1,15})\n/.exec(text);
    if (!found) { shown = ''; return hide(); }
    const left = () => Math.max(0, Math.round((stopAt - Date.now()) / 1000));
    if (text !== shown) {
      shown = text;
      stopAt = Number(found[1]);
      const minutes = Math.max(1, Math.round(Number(found[2]) / 60000));
      bar = bar || vscode.window.createStatusBarItem('berth.keep', vscode.StatusBarAlignment.Left, 1000);
      bar.command = 'berth.keep';
      bar.tooltip = 'Nobody has used this workspace for a while. Click to keep it running.';
      bar.backgroundColor = new vscode.ThemeColor('statusBarItem.warningBackground');
      bar.show();
      const said = `Nobody has used this workspace for ${minutes} min. It stops in ${left()} s; your files are kept.`;
      vscode.window.showWarningMessage(said, 'Keep it').then((answer) => { if (answer) keep(); });
    }
    if (bar) bar.text = `$(clock) stops in ${left()} s – keep it`;
  }

  const listen = [
    vscode.window.onDidChangeWindowState(look),
    vscode.workspace.onDidChangeTextDocument((event) => {
      changedAt = Date.now();
      if (isText(event.document) && event.contentChanges.length > 0 && isActive()) touch('typing in a file');
    }),
    vscode.window.onDidChangeTextEditorSelection((event) => {
      const byPerson = event.kind === vscode.TextEditorSelectionChangeKind.Keyboard || event.kind === vscode.TextEditorSelectionChangeKind.Mouse;
      if (byPerson) touch('moving in a file');
    }),
    vscode.window.onDidChangeTextEditorVisibleRanges((event) => {
      const scrolled = vscode.window.state.focused && isText(event.textEditor.document) && Date.now() - changedAt > ownChange;
      if (scrolled) touch('reading a file');
    }),
    vscode.window.onDidChangeTerminalState(whileActive('a terminal')),
    vscode.window.onDidChangeActiveTerminal(whileActive('a terminal')),
    vscode.window.onDidOpenTerminal(whileActive('a terminal')),
    vscode.tasks.onDidStartTask((event) => { tasks.set(event.execution, { name: event.execution.task.name, since: Date.now() }); soon(); }),
    vscode.tasks.onDidEndTask((event) => { tasks.delete(event.execution); soon(); }),
    vscode.debug.onDidStartDebugSession((session) => { sessions.set(session.id, { name: session.name, since: Date.now() }); soon(); }),
    vscode.debug.onDidTerminateDebugSession((session) => { sessions.delete(session.id); soon(); }),
    vscode.commands.registerCommand('berth.keep', keep),
  ];
  // Not in every version that we run on.
  if (vscode.window.onDidStartTerminalShellExecution) listen.push(vscode.window.onDidStartTerminalShellExecution(whileActive('a terminal')));

  const timers = [setInterval(() => { look(); write(); }, writeEvery), setInterval(lookForNotice, noticeEvery)];
  context.subscriptions.push(...listen, { dispose() {
    timers.forEach(clearInterval);
    clearTimeout(pending);
    hide();
    fs.rmSync(file, { force: true });
  } });

  try {
    for (const name of fs.readdirSync(folder)) {
      const old = path.join(folder, name);
      if (fs.statSync(old).mtimeMs < Date.now() - leftover) fs.rmSync(old, { force: true });
    }
  } catch (error) { /* another window was quicker, or there is no folder: the first write says so */ }
  if (active) touch('opening the editor');
  write();
}

module.exports = { activate };
