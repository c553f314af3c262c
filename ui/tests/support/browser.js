// Debian's Chromium, and what every test asks of a page.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

export const launch = () => chromium.launch({ executablePath, args: ['--no-sandbox'] });

export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** A page of the server, with everything noted that it must not do. */
export async function open(browser, server, { hash = '', ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.wrongs = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(server.url) && !request.url().startsWith('data:')) {
      page.wrongs.push(`a request to ${request.url()}`);
    }
  });
  page.on('pageerror', (error) => page.wrongs.push(`an error: ${error.message}`));
  page.on('console', (message) => {
    const text = message.text();
    if (/Content.Security.Policy|Refused to/i.test(text)) page.wrongs.push(text);
  });
  page.on('dialog', (dialog) => {
    page.wrongs.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(server.url + hash);
  return page;
}

export async function logIn(page, name = 'guest', password = 'guest') {
  await page.getByLabel('User').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.locator('.frame').waitFor();
}

export async function visit(page, hash) {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
}

/** That nothing was done which must not be, and that axe has no findings. */
export async function check(page, what) {
  assert.deepEqual(page.wrongs, [], what);
  // The page lets in no script but its own; the debugger may.
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: axe });
  const { result } = await session.send('Runtime.evaluate', {
    expression: `axe.run({resultTypes: ['violations']}).then(({violations}) => JSON.stringify(violations.map(({id, nodes}) => [id, nodes.slice(0, 3).map(({html, failureSummary}) => html.slice(0, 300) + ' ' + failureSummary)])))`,
    awaitPromise: true,
  });
  await session.detach();
  assert.deepEqual(JSON.parse(result.value), [], `${what}: axe`);
}

/** CPU time of the page's own thread from now on, in milliseconds: what else the machine does is not in it. */
export async function cpu(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const now = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration').value * 1000;
  };
  const began = await now();
  return async () => (await now()) - began;
}
