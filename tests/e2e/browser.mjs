// SPDX-License-Identifier: Apache-2.0
// A real Chromium for the stories. One command per run; prints one JSON line; exits 1 with what was
// seen when it is not so. Usage:
//   node browser.mjs workbench URL SCREENSHOT             VS Code appears
//   node browser.mjs workbench URL SCREENSHOT COMMAND FILE TEXT
//                                     … COMMAND is typed in its terminal, until FILE of this machine is TEXT
//   node browser.mjs stay URL SECONDS SCREENSHOT          … and its WebSocket stays connected that long
//   node browser.mjs dashboards URL TOKEN N SCREENSHOT    N dashboards in one browser all load and show events
//   node browser.mjs token URL TEXT                       the dashboard's form refuses TEXT with its reason, twice
//   node browser.mjs bookmark URL GATEWAY LINK TEXT SCREENSHOT
//                                     a late bookmark leads through the sign-in to the workspace (its page holds TEXT),
//                                     then straight there, then by the page that starts it, and after signing out nowhere
//   node browser.mjs issuer URL NAME USER [SCREENSHOT]     the button "Sign in with NAME" leads to USER's dashboard
//   node browser.mjs page URL SCREENSHOT [TEXT]           a page that holds TEXT
import { existsSync, readFileSync } from 'node:fs';
import puppeteer from 'puppeteer-core';

const typedMax = 4;

const [mode, url, ...rest] = process.argv.slice(2);
const fail = (why) => { throw new Error(why); };

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--window-size=1280,800',
    ...(process.env.CHROMIUM_RULES ? [`--host-resolver-rules=${process.env.CHROMIUM_RULES}`] : [])],      // names that no DNS knows
  defaultViewport: { width: 1280, height: 800 },
});

async function openWorkbench(page, picture) {
  const begun = Date.now();
  await page.goto(url, { waitUntil: 'domcontentloaded', timeout: 60000 });
  await page.waitForSelector('.monaco-workbench .part.statusbar', { timeout: 60000 });
  // Connected: the explorer shows the folder, which needs the WebSocket.
  await page.waitForFunction(() => document.querySelector('.explorer-folders-view, .explorer-viewlet'), { timeout: 60000 });
  if (picture) await page.screenshot({ path: picture });
  return Date.now() - begun;
}

const holds = (file, text) => existsSync(file) && readFileSync(file, 'utf8') === text;

// Until it has shown in `file`, the browser stays: a key that was pressed is not yet one that arrived.
// VS Code moves the focus while it starts, so a line that went elsewhere is typed again.
async function typeInTerminal(page, command, file, text) {
  await page.keyboard.down('Control');
  await page.keyboard.press('Backquote');
  await page.keyboard.up('Control');
  for (let typed = 1; typed <= typedMax; ++typed) {
    await page.waitForSelector('.terminal-wrapper .xterm-screen', { visible: true, timeout: 60000 });
    await page.click('.terminal-wrapper .xterm-screen');
    await page.waitForFunction(() => document.activeElement?.classList.contains('xterm-helper-textarea'), { timeout: 20000 });
    if (typed > 1) await page.keyboard.press('Enter');   // not Ctrl-C: the shell drops what is typed right after it
    await page.keyboard.type(command, { delay: 5 });
    await page.keyboard.press('Enter');
    const end = Date.now() + 15000;
    while (!holds(file, text) && Date.now() < end) await new Promise((done) => setTimeout(done, 50));
    if (holds(file, text)) return typed;
  }
  const shown = await page.evaluate(() => ({
    terminal: document.querySelector('.xterm-rows')?.innerText || document.querySelector('.terminal-wrapper')?.innerText,
    focus: document.activeElement?.className,
    notices: [...document.querySelectorAll('.notification-toast, .monaco-dialog-box')].map((box) => box.innerText),
  }));
  return fail(`'${command}' was typed ${typedMax} times and did not give ${file}: ${JSON.stringify(shown)}`);
}

try {
  const page = await browser.newPage();
  const sockets = new Set();
  const cdp = await page.createCDPSession();
  await cdp.send('Network.enable');
  cdp.on('Network.webSocketCreated', (event) => sockets.add(event.requestId));
  let closed = 0;
  cdp.on('Network.webSocketClosed', () => { closed += 1; });
  if (mode === 'workbench') {
    const [picture, command, file, text] = rest;
    const ms = await openWorkbench(page, picture);
    let typed = 0;
    try {
      if (command) typed = await typeInTerminal(page, command, file, text);
    } finally {
      if (command && picture) await page.screenshot({ path: picture });
    }
    console.log(JSON.stringify({ ms, typed, sockets: sockets.size, title: await page.title(), url: page.url() }));
  } else if (mode === 'stay') {
    const [seconds, picture] = rest;
    const ms = await openWorkbench(page, picture);
    console.log(JSON.stringify({ open: true, ms }));
    const before = closed;
    await new Promise((done) => setTimeout(done, Number(seconds) * 1000));
    if (picture) await page.screenshot({ path: picture });
    console.log(JSON.stringify({ stayed: closed === before, closed: closed - before, sockets: sockets.size }));
    if (closed !== before) process.exitCode = 1;
  } else if (mode === 'dashboards') {
    const [token, count, picture] = rest;
    const begun = Date.now();
    const tabs = [page];
    while (tabs.length < Number(count)) tabs.push(await browser.newPage());
    const loaded = async (tab) => {
      await tab.goto(`${url}/dashboard#token=${token}`, { waitUntil: 'domcontentloaded', timeout: 20000 });
      await tab.waitForFunction(() => document.querySelector('#me').textContent && document.querySelector('#pools').childElementCount &&
        document.querySelector('#events').childElementCount && document.querySelector('#health').textContent.startsWith('ok'), { timeout: 20000, polling: 100 });
    };
    for (const tab of tabs) await loaded(tab);
    if (picture) await tabs.at(-1).screenshot({ path: picture });
    await tabs[0].close();               // its stream was everybody's
    await loaded(tabs[1]);
    const seen = await Promise.all(tabs.slice(1).map((tab) => tab.evaluate(() => document.querySelector('#events').childElementCount)));
    console.log(JSON.stringify({ ms: Date.now() - begun, seen }));
  } else if (mode === 'token') {
    const [text] = rest;
    await page.goto(`${url}/dashboard`, { waitUntil: 'load', timeout: 20000 });
    const asked = () => page.waitForFunction(() => !document.querySelector('#enter').hidden && document.querySelector('#content').hidden, { timeout: 10000, polling: 100 });
    await asked();
    await page.type('#token', text);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('#token-error').textContent && !document.querySelector('#enter').hidden, { timeout: 10000, polling: 100 });
    const said = await page.evaluate(() => document.querySelector('#token-error').textContent);
    await page.reload({ waitUntil: 'load' });
    await asked();
    console.log(JSON.stringify({ said }));
  } else if (mode === 'bookmark') {
    const [gateway, link, text, picture] = rest;
    const workspace = new URL(url).hostname.split('.')[0];
    const at = (prefix) => page.waitForFunction((p) => location.href.startsWith(p), { timeout: 20000, polling: 100 }, prefix);
    const shown = (selector) => page.waitForFunction((s) => { const e = document.querySelector(s); return e && e.getClientRects().length > 0; }, { timeout: 20000, polling: 100 }, selector);
    const arrived = async () => {
      await at(url);
      await page.waitForFunction((t) => document.body.innerText.includes(t), { timeout: 20000, polling: 100 }, text);
    };
    // The page that a redirect or a script leads away from never loads to its end.
    const visit = (where) => page.goto(where, { waitUntil: 'domcontentloaded', timeout: 30000 }).catch((error) => { if (!/ERR_ABORTED|detached/.test(error.message)) throw error; });
    const forget = async (where) => { for (const cookie of await page.cookies(where)) await page.deleteCookie(cookie); };
    const said = {};

    await visit(url);
    await at(`${gateway}/sign-in?to=/open/${workspace}`);
    await shown('#form');
    await page.type('#secret', link);
    await page.keyboard.press('Enter');
    await arrived();
    const [cookie] = (await page.cookies(gateway)).filter((one) => one.name.startsWith('berth-_session'));
    said.cookie = { httpOnly: cookie.httpOnly, sameSite: cookie.sameSite, domain: cookie.domain };

    await forget(url);
    await visit(url);
    await arrived();

    await visit(`${gateway}/sign-in#${link.split('#')[1]}`);
    await shown('#use-link');
    said.asks = await page.evaluate(() => document.querySelector('#use-link').textContent);
    await page.click('#use-link');
    await page.waitForFunction(() => document.querySelector('#bad').textContent, { timeout: 20000, polling: 100 });
    said.again = await page.evaluate(() => document.querySelector('#bad').textContent);

    await visit(`${gateway}/dashboard`);
    await page.waitForFunction(() => document.querySelector('#me').textContent.startsWith('ada') && document.querySelector('#events').childElementCount, { timeout: 20000, polling: 100 });
    said.stopped = await page.evaluate(async (id) => (await fetch(`/v1/workspaces/${id}/stop`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })).status, workspace);
    await forget(url);
    await page.waitForFunction(async (id) => (await (await fetch(`/v1/workspaces/${id}`)).json()).state === 'stopped', { timeout: 30000, polling: 200 }, workspace);
    await visit(url);
    await at(`${gateway}/open/${workspace}`);
    await shown('#start');
    if (picture) await page.screenshot({ path: picture });
    await page.click('#start');
    await arrived();

    await visit(`${gateway}/sign-in`);
    await shown('#out');
    await page.click('#out');
    await page.waitForFunction(() => document.querySelector('#title').textContent === 'Sign in', { timeout: 20000, polling: 100 });
    await forget(url);
    await visit(url);
    await at(`${gateway}/sign-in?to=/open/${workspace}`);
    console.log(JSON.stringify(said));
  } else if (mode === 'issuer') {
    const [name, user, picture] = rest;
    await page.goto(`${url}/sign-in?to=/dashboard`, { waitUntil: 'load', timeout: 20000 });
    await page.waitForFunction((n) => document.querySelector('#provider').textContent.endsWith(n), { timeout: 20000, polling: 100 }, name);
    if (picture) await page.screenshot({ path: picture });
    await page.click('#provider');
    await page.waitForFunction((u) => document.querySelector('#me')?.textContent.startsWith(u), { timeout: 20000, polling: 100 }, user);
    console.log(JSON.stringify({ me: await page.evaluate(() => document.querySelector('#me').textContent), url: page.url() }));
  } else if (mode === 'page') {
    const [picture, text] = rest;
    const answer = await page.goto(url, { waitUntil: 'load', timeout: 30000 });
    if (text) await page.waitForFunction((t) => document.body.innerText.includes(t), { timeout: 15000 }, text);
    if (picture) await page.screenshot({ path: picture });
    console.log(JSON.stringify({ status: answer.status(), title: await page.title(), url: page.url() }));
  } else {
    fail(`unknown mode ${mode}`);
  }
} catch (error) {
  console.log(JSON.stringify({ error: String(error.message || error) }));
  process.exitCode = 1;
} finally {
  await browser.close();
}
