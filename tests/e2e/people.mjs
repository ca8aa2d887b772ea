// SPDX-License-Identifier: Apache-2.0
// Several people in one Chromium, for situations that take minutes: one JSON command per line in, one
// answer per line out. Each person has a page of their own, or more:
//   {n, act: "open", who, url}           VS Code appears
//   {n, act: "page", who, url}           any page
//   {n, act: "terminal", who, text}      typed in its terminal, with Enter; {act: "interrupt"}: Control-C there
//   {n, act: "file", who, name}          one of its home, with the cursor in it
//   {n, act: "type", who, text}          typed where the cursor is
//   {n, act: "click", who, selector}     {n, act: "wheel", who}     {n, act: "says", who, text, ms}
//   {n, act: "button", who, text}        one of the editor's, by its words
//   {n, act: "hide", who}                another tab stands before it; {act: "freeze"}, "thaw": a laptop asleep, and back
//   {n, act: "picture", who, file}       {n, act: "close", who}
import { createInterface } from 'node:readline';
import puppeteer from 'puppeteer-core';

const patience = 90000;
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--window-size=1280,800'],
  defaultViewport: { width: 1280, height: 800 },
});
const pages = new Map();
const asleep = new Map();

// One window each: a page that stands behind another of its window is hidden, and nobody can type in it.
async function newPage(who) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  pages.set(who, page);
  return page;
}

// VS Code takes no key before it has settled, and says nothing of when: what was not heard is said again.
async function until(page, press, selector) {
  const end = Date.now() + patience;
  for (;;) {
    await press();
    try {
      return await page.waitForSelector(selector, { visible: true, timeout: 4000 });
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

async function chord(page, key) {
  await page.keyboard.down('Control');
  await page.keyboard.press(key);
  await page.keyboard.up('Control');
}

const acts = {
  async open({ who, url }) {
    const page = await newPage(who);
    await page.goto(url, { waitUntil: 'domcontentloaded', timeout: patience });
    await page.waitForSelector('.monaco-workbench .part.statusbar', { timeout: patience });
    await page.waitForFunction(() => document.querySelector('.explorer-folders-view, .explorer-viewlet'), { timeout: patience });
  },
  async page({ who, url }) {
    const page = pages.get(who) || await newPage(who);
    const answer = await page.goto(url, { waitUntil: 'domcontentloaded', timeout: patience });
    return { status: answer.status() };
  },
  async terminal({ who, text }) {
    const page = pages.get(who);
    if (!await page.$('.terminal-wrapper .xterm-screen')) await until(page, () => chord(page, 'Backquote'), '.terminal-wrapper .xterm-screen');
    await page.click('.terminal-wrapper .xterm-screen');
    await page.waitForFunction(() => document.activeElement?.classList.contains('xterm-helper-textarea'), { timeout: patience });
    await page.keyboard.type(text, { delay: 5 });
    await page.keyboard.press('Enter');
  },
  async interrupt({ who }) {
    const page = pages.get(who);
    await page.click('.terminal-wrapper .xterm-screen');
    await page.keyboard.down('Control');
    await page.keyboard.press('KeyC');
    await page.keyboard.up('Control');
  },
  async file({ who, name }) {
    const page = pages.get(who);
    await until(page, async () => {
      await page.keyboard.press('Escape');
      await chord(page, 'KeyP');
      await page.waitForSelector('.quick-input-widget .quick-input-box input', { visible: true, timeout: patience });
      await page.keyboard.type(name, { delay: 20 });
      await page.waitForFunction((words) => [...document.querySelectorAll('.quick-input-list .monaco-list-row')].some((row) => row.innerText.includes(words)), { timeout: 30000 }, name);
      await page.keyboard.press('Enter');
    }, `.tab.active[data-resource-name="${name}"]`);
    await page.waitForSelector('.editor-instance .monaco-editor .view-lines', { visible: true, timeout: patience });
    await page.click('.editor-instance .monaco-editor .view-lines');
  },
  async type({ who, text }) { await pages.get(who).keyboard.type(text, { delay: 5 }); },
  async click({ who, selector }) { await pages.get(who).click(selector); },
  async wheel({ who }) {
    const page = pages.get(who);
    await page.mouse.move(700, 300);
    await page.mouse.wheel({ deltaY: Math.random() < 0.5 ? 400 : -400 });
  },
  async says({ who, text, ms }) {
    await pages.get(who).waitForFunction((words) => document.body.innerText.includes(words), { timeout: ms || patience, polling: 250 }, text);
  },
  async button({ who, text }) {
    const clicked = await pages.get(who).evaluate((words) => {
      const found = [...document.querySelectorAll('.notification-toast .monaco-button, .notification-toast a')].find((one) => one.innerText.trim() === words);
      if (found) found.click();
      return Boolean(found);
    }, text);
    if (!clicked) throw new Error(`no button '${text}'`);
  },
  async hide({ who }) {
    const other = await pages.get(who).browserContext().newPage();
    await other.goto('about:blank');
    await other.bringToFront();
    return { visibility: await pages.get(who).evaluate(() => document.visibilityState) };
  },
  async freeze({ who }) {
    if (!asleep.has(who)) asleep.set(who, await pages.get(who).createCDPSession());      // a page that is frozen answers to no new one
    const cdp = asleep.get(who);
    await cdp.send('Emulation.setFocusEmulationEnabled', { enabled: false });
    await cdp.send('Page.setWebLifecycleState', { state: 'frozen' });
  },
  async thaw({ who }) {
    // Chromium leaves a page hidden that it woke by this word; a person's is seen again, and has the keys.
    await asleep.get(who).send('Page.setWebLifecycleState', { state: 'active' });
    await asleep.get(who).send('Emulation.setFocusEmulationEnabled', { enabled: true });
  },
  async picture({ who, file }) { await pages.get(who).screenshot({ path: file }); },
  async close({ who }) {
    await pages.get(who).close({ runBeforeUnload: false });
    pages.delete(who);
  },
};

console.log(JSON.stringify({ n: 0, ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  acts[asked.act](asked)
    .then((seen) => console.log(JSON.stringify({ n: asked.n, ...seen })))
    .catch((error) => console.log(JSON.stringify({ n: asked.n, error: String(error.message || error) })));
}
await browser.close();
