// The log, shovels, federation, and how fast the page is there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check, cpu, launch, logIn, open, PHONE, visit } from './support/browser.js';
import { Server } from './support/server.js';
import { Shop } from './support/shop.js';

let server, shop, browser;

before(async () => {
  server = await Server.start();
  shop = await Shop.open(server, { rate: 20 });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await shop?.close();
  await server?.stop();
});

test('the log is searched, narrowed by level, and goes on by itself', async () => {
  const page = await open(browser, server, { hash: '#/log' });
  await logIn(page);
  const log = page.getByRole('log');
  await log.getByText('started TCP listener').waitFor();
  await check(page, 'log');
  await server.call('PUT', 'leveret/log-level', { level: 'warning' });
  await server.call('PUT', 'leveret/log-level', { level: 'info' });
  await log.getByText('the log level is info from now on').first().waitFor();
  await page.getByLabel('How bad').selectOption('error');
  await page.getByText('No line is like that').waitFor();
  await check(page, 'log without lines');
  await page.getByLabel('How bad').selectOption('');
  await page.getByRole('searchbox', { name: 'Search the log' }).fill('TCP LISTENER');
  await page.waitForFunction(() => document.querySelectorAll('.log li').length === 1);
  await page.context().close();
});

test('a shovel is made, carries, and is deleted', async () => {
  await server.call('PUT', 'queues/%2F/left', { durable: true });
  await server.call('PUT', 'queues/%2F/right', { durable: true });
  await server.call('POST', 'exchanges/%2F/amq.default/publish', {
    routing_key: 'left', payload: 'x', payload_encoding: 'string', properties: { delivery_mode: 2 },
  });
  const page = await open(browser, server, { hash: '#/shovels' });
  await logIn(page);
  await page.getByText('No shovel carries anything').waitFor();
  await page.getByRole('button', { name: 'New shovel' }).click();
  await page.getByLabel('Name').fill('across');
  await page.getByLabel('the queue', { exact: true }).fill('left');
  await page.getByLabel('into the queue').fill('right');
  await check(page, 'new shovel');
  await page.getByRole('button', { name: 'Begin' }).click();
  await page.getByText('running', { exact: true }).waitFor();
  await check(page, 'shovels');
  await page.waitForFunction(() => /left.*right.*1/.test(document.querySelector('.tbody .tr')?.textContent ?? ''));
  assert.equal((await server.call('GET', 'queues/%2F/right')).messages_ready, 1);
  await page.locator('.tbody input[type=checkbox]').check();
  await page.getByRole('button', { name: 'Restart' }).click();
  await page.getByText('They connect anew.').waitFor();
  await page.locator('.tbody input[type=checkbox]').check();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByLabel(/type delete/).fill('delete');
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByText('No shovel carries anything').waitFor();
  await page.context().close();
});

test('an upstream is named, its links are shown and connect anew, and it is deleted', async () => {
  await server.call('PUT', 'vhosts/upstream');
  await server.call('PUT', 'exchanges/upstream/news', { type: 'topic', durable: true });
  await server.call('PUT', 'exchanges/%2F/news', { type: 'topic', durable: true });
  const page = await open(browser, server, { hash: '#/federation' });
  await logIn(page);
  await page.getByText('No link brings anything').waitFor();
  await page.getByRole('button', { name: 'New upstream' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('above');
  await page.getByLabel('Where it is').fill(`amqp://guest:guest@127.0.0.1:${server.amqp}/upstream`);
  await check(page, 'new upstream');
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.locator('.tbody').getByText(`amqp://127.0.0.1:${server.amqp}/upstream`).waitFor();
  assert.equal(await page.getByText('guest:guest').count(), 0, 'passwords are not shown');
  await check(page, 'upstreams');
  await page.getByRole('tab', { name: 'Links' }).click();
  await server.call('PUT', 'policies/%2F/news', {
    pattern: '^news$', 'apply-to': 'exchanges', definition: { 'federation-upstream': 'above' },
  });
  await page.locator('.tbody').getByText('above').waitFor();
  await check(page, 'federation');
  await page.locator('.tbody input[type=checkbox]').check();
  await page.getByRole('button', { name: 'Restart' }).click();
  await page.getByText('They connect anew.').waitFor();
  await server.call('DELETE', 'policies/%2F/news');
  await page.getByText('No link brings anything').waitFor();
  await page.getByRole('tab', { name: 'Upstreams' }).click();
  await page.locator('.tbody input[type=checkbox]').check();
  await page.getByRole('button', { name: 'Delete 1' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('1 upstream');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByText('No broker is upstream').waitFor();
  await page.context().close();
});

test('the new pages fit on a phone', async () => {
  const page = await open(browser, server, { ...PHONE, colorScheme: 'dark' });
  await logIn(page);
  for (const hash of ['#/log', '#/shovels', '#/federation']) {
    await visit(page, hash);
    await page.locator('main h1').waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, `${hash} is wider than the phone`);
    await check(page, hash);
  }
  await page.context().close();
});

/** Shows as many lines as take about as long as what a page may take to be there. */
function write() {
  for (let line = 0; line < 10_000; line += 1) {
    document.body.append(Object.assign(document.createElement('p'), { textContent: `line ${line}` }));
  }
  return document.body.offsetHeight;
}

test('the page is there at once', async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  // How fast the machine is, as it has other things to do as well.
  const writing = await cpu(page);
  await page.evaluate(write);
  const plain = await writing();
  const loading = await cpu(page);
  await page.goto(server.url);
  await page.getByRole('button', { name: 'Log in' }).waitFor();
  const took = await loading();
  const { paint, bytes, requests } = await page.evaluate(() => {
    const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    return {
      paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN,
      bytes: all.reduce((sum, { transferSize }) => sum + transferSize, 0),
      requests: all.length,
    };
  });
  console.log(`first paint after ${paint.toFixed(0)} ms; ${took.toFixed(0)} ms of CPU beside ${plain.toFixed(0)}, ${bytes} octets, ${requests} requests`);
  assert.ok(took > 0 && took < plain, `${took} ms of CPU, ${plain} for 10,000 lines`);
  assert.ok(bytes > 0 && bytes < 250_000, `${bytes} octets over the wire`);
  assert.ok(requests <= 5, `${requests} requests`);
  await context.close();
});
