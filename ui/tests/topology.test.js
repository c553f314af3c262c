// The picture of exchanges, bindings and queues: what is written on it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check, launch, logIn, open, visit } from './support/browser.js';
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

test('the picture tells how many messages go each way', async () => {
  const page = await open(browser, server, { hash: '#/topology' });
  await logIn(page);
  const rates = page.locator('.label text.rate');
  await page.waitForFunction(() => document.querySelectorAll('.label text.rate').length > 2);
  const [first] = await rates.allTextContents();
  assert.match(first, /^[0-9.,]+(k|M)?\/s$/);
  assert.match(await page.locator('.edge.flows title').first().textContent(), /messages a second/);
  await check(page, 'flows');
  await visit(page, '#/topology?exchange=orders&key=order.eu.created');
  const colour = (way) => page.locator(way).first().evaluate((path) => getComputedStyle(path).stroke);
  assert.notEqual(await colour('.edge.flows.lit path'), await colour('.edge.flows:not(.lit, .dead-letter) path'), 'a way that is lit stands out');
  await page.context().close();
});

/** Every two things on the picture that are over each other: labels, and boxes of exchanges and queues. */
function overlaps() {
  const all = [...document.querySelectorAll('.label text, .node rect')].map((element) => ({
    name: element.textContent || element.closest('a').querySelector('.title').textContent,
    box: element.getBoundingClientRect(),
  }));
  const meet = (one, other) =>
    Math.min(one.right, other.right) - Math.max(one.left, other.left) > 0.5 &&
    Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 0.5;
  const found = [];
  all.forEach((one, at) => {
    for (const other of all.slice(at + 1)) if (meet(one.box, other.box)) found.push(`${one.name} / ${other.name}`);
  });
  return found;
}

const labelsOf = (page) => page.locator('.label text:not(.rate)').count();

test('nothing that is written on the picture is over anything else', async () => {
  const page = await open(browser, server, { hash: '#/topology' });
  await logIn(page);
  await page.waitForFunction(() => document.querySelectorAll('.label text.rate').length > 2);
  assert.deepEqual(await page.evaluate(overlaps), []);
  assert.equal(await labelsOf(page), 6, 'there is room for all of them');

  // Ways that cross, with keys as long as they can be, over boxes that lie between.
  await server.call('PUT', 'vhosts/dense');
  const names = ['one', 'two', 'three', 'four', 'five'];
  await server.call('POST', 'definitions/dense', {
    exchanges: ['north', 'south', 'between'].map((name) => ({ name, type: 'topic', durable: true, auto_delete: false, arguments: {} })),
    queues: names.map((name) => ({ name, durable: true, auto_delete: false, arguments: { 'x-dead-letter-exchange': 'south' } })),
    bindings: [
      { source: 'north', destination: 'between', destination_type: 'exchange', routing_key: 'a.key.of.no.end.at.all.and.more', arguments: {} },
      ...['north', 'south', 'between'].flatMap((source) =>
        names.map((destination) => ({ source, destination, destination_type: 'queue', routing_key: `${destination}.of.${source}.for.ever`, arguments: {} })),
      ),
    ],
  });
  await visit(page, '#/topology?vhost=dense');
  await page.locator('.node', { hasText: 'between' }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.label').length > 8);
  assert.deepEqual(await page.evaluate(overlaps), []);
  await check(page, 'dense');
  await page.locator('.node', { hasText: 'between' }).hover();
  await page.locator('.edge.near').first().waitFor({ state: 'attached' });
  assert.deepEqual(await page.evaluate(overlaps), []);
  for (const name of names) await page.locator('.label', { hasText: `${name}.of.between` }).first().waitFor({ state: 'attached' });
  await visit(page, '#/topology?vhost=dense&exchange=south&key=one.of.south.for.ever');
  await page.locator('.label.lit').waitFor({ state: 'attached' });
  assert.deepEqual(await page.evaluate(overlaps), []);
  await page.context().close();
});

test('the picture is zoomed, moved and searched', async () => {
  const page = await open(browser, server, { hash: '#/topology' });
  await logIn(page);
  const orders = page.locator('.node', { hasText: 'orders' });
  const box = async () => (await orders.locator('rect').boundingBox()) ?? assert.fail('it is not there');
  await orders.waitFor();
  const first = await box();
  await page.getByRole('button', { name: 'Larger' }).click();
  const larger = await box();
  assert.ok(larger.width > first.width * 1.2, `${first.width} to ${larger.width}`);
  await page.locator('.canvas').focus();
  await page.keyboard.press('ArrowRight');
  assert.ok((await box()).x < larger.x);
  await page.getByRole('button', { name: 'Fit' }).click();
  assert.ok(Math.abs((await box()).width - first.width) < 1);
  await page.getByRole('searchbox').fill('emails');
  await orders.waitFor({ state: 'detached' });
  await page.locator('.node', { hasText: 'notifications' }).waitFor();
  await page.locator('.node', { hasText: 'emails' }).click();
  await page.getByRole('heading', { level: 1, name: 'emails' }).waitFor();
  await page.context().close();
});
