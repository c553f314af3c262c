// What comes by itself: after a restart of the server, while the page is hidden, and of very many.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check, cpu, launch, logIn, open, visit } from './support/browser.js';
import { Server } from './support/server.js';
import { Shop } from './support/shop.js';

let server, browser;

before(async () => {
  server = await Server.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test('the page comes back by itself after a restart of the server', async () => {
  const page = await open(browser, server, { hash: '#/queues' });
  await logIn(page);
  await page.getByText('There is no queue that you may see').waitFor();
  await check(page, 'no queue');
  await server.stop();
  await page.getByText('The broker does not answer').waitFor();
  await check(page, 'no server');
  await server.again();
  await server.call('PUT', 'queues/%2F/reborn', {});
  await page.getByRole('link', { name: 'reborn' }).waitFor({ timeout: 30_000 });
  await page.getByText('Live').waitFor();
  await page.context().close();
});

/** Addresses of the streams that the page asks for from now on. */
function streams(page) {
  const asked = [];
  page.on('request', (request) => {
    if (request.url().includes('/leveret/live?')) asked.push(new URL(request.url()).search);
  });
  return asked;
}

test('a page asks for one stream, and another page for another one', async () => {
  const page = await open(browser, server, { hash: '#/federation' });
  const asked = streams(page);
  await logIn(page);
  await page.getByText('No link brings anything').waitFor();
  assert.equal(asked.length, 1, `of one login: ${asked}`);
  await visit(page, '#/shovels');
  await page.getByText('No shovel carries anything').waitFor();
  assert.equal(asked.length, 2, `of one step: ${asked}`);
  await page.context().close();
});

test('who logs in twice sees what does not change all the same', async () => {
  const page = await open(browser, server, { hash: '#/federation' });
  let second;
  let seen = 0;
  await page.route('**/api/whoami', (route) => {
    seen += 1;
    if (seen === 1) return route.continue();
    second = route;
  });
  await page.getByLabel('User').fill('guest');
  await page.getByLabel('Password').fill('guest');
  await page.evaluate(() => {
    const form = document.querySelector('form');
    form.requestSubmit();
    form.requestSubmit();
  });
  await page.getByText('No link brings anything').waitFor();
  const asked = streams(page);
  const answered = page.waitForResponse('**/api/whoami');
  await second.continue();
  await answered;
  await page.getByText('loading').waitFor({ state: 'detached' });
  await page.getByText('No link brings anything').waitFor();
  assert.equal(asked.length, 1, 'what was told before does not count');
  await page.context().close();
});

test('a stream that does not even begin is asked for again', async () => {
  const page = await open(browser, server, { hash: '#/federation' });
  await page.clock.install();
  const asked = streams(page);
  await page.route('**/api/leveret/live?*', (route) => {
    // The first one gets no answer: as after a sleep, on a connection that is none any more.
    if (asked.length > 1) return route.continue();
  });
  await logIn(page);
  await page.getByText('Connecting…').waitFor();
  await page.clock.fastForward(15_000);
  await page.getByText('Trying again').waitFor();
  await page.clock.fastForward(1000);
  await page.getByText('No link brings anything').waitFor();
  await page.getByText('Live').waitFor();
  await page.context().close();
});

test('an empty broker says what to do', async () => {
  const empty = await Server.start();
  const page = await open(browser, empty);
  await logIn(page);
  await page.getByText('No queue yet').waitFor();
  for (const [hash, text] of [
    ['#/topology', 'Nothing is bound here yet'],
    ['#/connections', 'Nobody is connected'],
    ['#/channels', 'No channel is open'],
    ['#/consumers', 'No consumer'],
    ['#/policies', 'No policies'],
  ]) {
    await visit(page, hash);
    await page.getByText(text).waitFor();
    await check(page, `${hash}, empty`);
  }
  await page.context().close();
  await empty.stop();
});

const MANY = 10_000;
const FRAMES = 30;

/** Shows other rows in every frame. */
async function scroll({ turn, count }) {
  const table = document.querySelector('.table');
  for (let frame = 0; frame < count; frame += 1) {
    table.scrollTop = (turn * count + frame) * 2500;
    await new Promise(requestAnimationFrame);
  }
}

/** Writes other text over all that the rows have, in every frame, in a copy that stands in for the table. */
async function write({ count }) {
  const table = document.querySelector('.table');
  const copy = table.cloneNode(true);
  table.replaceWith(copy);
  const walker = document.createTreeWalker(copy.querySelector('.tbody'), NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (let frame = 0; frame < count; frame += 1) {
    for (const text of texts) text.data = text.data.replace(/.$/, frame % 10);
    await new Promise(requestAnimationFrame);
  }
  copy.replaceWith(table);
}

/** CPU time of a frame in milliseconds. */
async function frames(page, show, turn) {
  const took = await cpu(page);
  await page.evaluate(show, { turn, count: FRAMES });
  return (await took()) / FRAMES;
}

const median = (numbers) => numbers.toSorted((one, other) => one - other)[numbers.length >> 1];

test(`${MANY} queues and many connections are shown without lag`, async () => {
  const queues = Array.from({ length: MANY }, (_, n) => ({
    name: `queue-${String(n).padStart(5, '0')}`,
    vhost: '/',
    durable: false,
    auto_delete: false,
    arguments: {},
  }));
  await server.call('POST', 'definitions', { queues });
  const connections = [];
  for (let n = 0; n < 1000; n += 1) connections.push(await Shop.connect(server, `client ${n}`));
  const page = await open(browser, server, { hash: '#/queues?q=queue' });
  await logIn(page);
  await page.getByText('10,000 of').waitFor({ timeout: 60_000 });
  assert.ok((await page.locator('.tbody .tr').count()) < 80, 'only the rows that are seen exist');
  // All rows are others in every frame. What a frame takes depends on the machine and what else it
  // does, so it is compared with writing as many rows by hand, by turns.
  const SCROLLS = 5;
  const scrolled = [];
  const written = [];
  for (let turn = 0; turn < SCROLLS; turn += 1) {
    scrolled.push(await frames(page, scroll, turn));
    written.push(await frames(page, write, turn));
  }
  const [scrolling, writing] = [median(scrolled), median(written)];
  console.log(`scrolling ${MANY} rows: ${scrolling.toFixed(1)} ms of CPU a frame, ${writing.toFixed(1)} to write them`);
  assert.ok(scrolling < 5 * writing, `a frame takes ${scrolling} ms of CPU while scrolling, ${writing} to be written`);
  const searching = await cpu(page);
  await page.getByRole('searchbox').fill('queue-0999[0-9]$');
  await page.waitForFunction(() => document.querySelectorAll('.tbody .tr').length === 10);
  const search = await searching();
  console.log(`searching them: ${search.toFixed(0)} ms of CPU`);
  assert.ok(search < 20 * writing, `a search takes ${search} ms of CPU, a frame ${writing}`);
  await page.getByRole('link', { name: 'queue-09995' }).click();
  await page.getByRole('heading', { level: 1, name: 'queue-09995' }).waitFor();
  await visit(page, '#/topology');
  await page.getByText('more are not shown').waitFor();
  await visit(page, '#/connections');
  await page.getByRole('link', { name: 'client 0', exact: true }).waitFor();
  const rows = await page.evaluate(async () => {
    const table = document.querySelector('.table');
    table.scrollTop = table.scrollHeight;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return document.querySelectorAll('.tbody .tr').length;
  });
  assert.ok(rows > 0 && rows < 80, 'a thousand connections are as few rows');
  await check(page, 'many');
  await Promise.all(connections.map((connection) => connection.close()));
  await page.context().close();
});
