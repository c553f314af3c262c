// Care for who looks: what is exact, what is far away, what is undone, what waits while nobody looks.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check, launch, logIn, open, visit } from './support/browser.js';
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

const publish = (key, payload, properties = {}) =>
  server.call('POST', 'exchanges/%2F/amq.default/publish', { routing_key: key, payload, payload_encoding: 'string', properties });

async function fill(queue, count) {
  await server.call('PUT', `queues/%2F/${queue}`, {});
  const client = await Shop.connect(server, 'filler');
  const channel = await client.createConfirmChannel();
  for (let n = 0; n < count; n += 1) channel.sendToQueue(queue, Buffer.from(String(n)));
  await channel.waitForConfirms();
  await client.close();
}

test('numbers and times are short, and exact where the pointer is', async () => {
  await fill('long', 10_001);
  const page = await open(browser, server);
  await logIn(page);
  const ready = page.locator('.figure', { hasText: 'Ready' }).locator('[title]');
  await ready.getByText('10.0k').waitFor();
  assert.equal(await ready.getAttribute('title'), '10,001');
  const published = page.locator('.figure', { hasText: 'Published' }).locator('[title]');
  assert.match(await published.getAttribute('title'), /^\d+\.\d{3} per second$/);
  await visit(page, '#/queues');
  const cell = page.locator('.tbody [title="10,001"]');
  assert.equal(await cell.textContent(), '10.0k');
  const client = await Shop.connect(server, 'watched');
  await visit(page, '#/connections');
  await page.getByRole('link', { name: 'watched' }).click();
  const since = page.locator('.about time');
  await since.waitFor();
  assert.match(await since.textContent(), /^(just now|.* ago)$/);
  assert.match(await since.getAttribute('title'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/);
  await client.close();
  await server.call('DELETE', 'queues/%2F/long');
  await page.context().close();
});

test('what needs attention is told in words, with what to do', async () => {
  await fill('nobody comes', 1000);
  const client = await Shop.connect(server, 'careless');
  const channel = await client.createConfirmChannel();
  channel.sendToQueue('no such queue', Buffer.from('lost'));
  await channel.waitForConfirms();
  await client.close();
  const page = await open(browser, server);
  await logIn(page);
  await page.getByText('1 queue has 1,000 messages or more, and no consumer: “nobody comes”.').waitFor();
  await page.getByText('that no queue got, and dropped since the start').waitFor();
  const { memory_high_watermark_bytes: before } = await server.call('GET', 'leveret/watermarks');
  await server.call('PUT', 'leveret/watermarks', { memory_high_watermark: { absolute: 100 } });
  await page.getByText('Memory is short, and whoever publishes waits.').waitFor();
  await page.getByText('Consume or purge some').waitFor();
  await check(page, 'warnings');
  await visit(page, '#/queues');
  await page.getByRole('link', { name: 'Memory is short: publishers wait' }).waitFor();
  const limit = before ?? 1 << 30;
  await server.call('PUT', 'leveret/watermarks', { memory_high_watermark: { absolute: limit } });
  await page.getByText('Memory is short').waitFor({ state: 'detached' });
  await server.call('DELETE', 'queues/%2F/nobody%20comes');
  await page.context().close();
});

test('nothing is asked for while the page is hidden', async () => {
  const page = await open(browser, server, { hash: '#/queues' });
  await logIn(page);
  await page.getByText('Live').waitFor();
  const hide = (hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  const ended = [];
  page.on('requestfailed', (request) => ended.push(new URL(request.url()).pathname));
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  await hide(true);
  await page.getByText('Paused').waitFor();
  assert.deepEqual(ended, ['/api/leveret/live', '/api/leveret/live'], 'both streams end');
  await server.call('PUT', 'queues/%2F/unseen', {});
  await page.clock.install();
  await page.clock.runFor(60_000);
  assert.deepEqual(asked, []);
  await hide(false);
  await page.getByRole('link', { name: 'unseen' }).waitFor();
  await page.getByText('Live').waitFor();
  await page.context().close();
});

test('a message is kept as a template, and published from it', async () => {
  await server.call('PUT', 'queues/%2F/forms', {});
  const page = await open(browser, server, { hash: '#/queues/%2F/forms?tab=publish' });
  await logIn(page);
  await page.getByLabel('Content type').fill('text/plain');
  await page.getByLabel('Body').fill('Dear all');
  await page.getByText('More properties').click();
  await page.getByLabel('message id').fill('letter-1');
  await page.getByRole('button', { name: 'Keep as template' }).click();
  await page.getByLabel('Name of the template').fill('letter');
  await check(page, 'a template');
  await page.getByLabel('Name of the template').press('Enter');
  await page.reload();
  await page.getByLabel('Template').selectOption('letter');
  assert.equal(await page.getByLabel('Body').inputValue(), 'Dear all');
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await page.getByText('The message is published.').waitFor();
  const [letter] = await server.call('POST', 'queues/%2F/forms/get', { count: 2, ackmode: 'ack_requeue_false', encoding: 'auto' });
  assert.deepEqual([letter.payload, letter.properties.content_type, letter.properties.message_id], ['Dear all', 'text/plain', 'letter-1']);
  await page.getByRole('button', { name: 'Forget it' }).click();
  await page.getByLabel('Template').waitFor({ state: 'detached' });
  await page.context().close();
});

test('an exchange is made, published to, and deleted', async () => {
  const page = await open(browser, server, { hash: '#/exchanges?new=1' });
  await logIn(page);
  const dialog = page.getByRole('dialog');
  await check(page, 'new exchange');
  await dialog.getByLabel('Name', { exact: true }).fill('market');
  await dialog.getByRole('combobox', { name: /^Type/ }).selectOption('fanout');
  await dialog.getByRole('button', { name: 'Make it' }).click();
  await page.getByRole('heading', { level: 1, name: 'market' }).waitFor();
  const { type, durable } = await server.call('GET', 'exchanges/%2F/market');
  assert.deepEqual([type, durable], ['fanout', true]);
  await page.getByRole('tab', { name: 'Publish' }).click();
  await page.getByLabel('Body').fill('fish');
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await page.getByText('No queue got the message').waitFor();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('market');
  await page.getByRole('button', { name: 'Delete the exchange' }).click();
  await page.getByRole('heading', { level: 1, name: 'Exchanges' }).waitFor();
  await assert.rejects(server.call('GET', 'exchanges/%2F/market'), /404/);
  await page.context().close();
});

test('several queues are purged and deleted once their number is typed', async () => {
  await fill('crate-1', 3);
  await fill('crate-2', 4);
  const page = await open(browser, server, { hash: '#/queues?q=crate' });
  await logIn(page);
  const doom = async (button, sure) => {
    await page.getByLabel('Select all').check();
    await page.getByRole('button', { name: button }).click();
    assert.equal(await page.getByRole('button', { name: sure }).isDisabled(), true);
    await page.getByRole('dialog').getByRole('textbox').fill('2 queues');
    await check(page, button);
    await page.getByRole('button', { name: sure }).click();
  };
  await page.getByRole('link', { name: 'crate-2' }).waitFor();
  await doom('Purge 2', 'Purge them');
  await page.getByText('2 queues purged.').waitFor();
  assert.equal((await server.call('GET', 'queues/%2F/crate-1')).messages, 0);
  await doom('Delete 2', 'Delete them');
  await page.getByText('2 queues deleted.').waitFor();
  await assert.rejects(server.call('GET', 'queues/%2F/crate-2'), /404/);
  await page.context().close();
});

test('a channel has a page, and several connections are closed at once', async () => {
  const clients = await Promise.all([1, 2].map((n) => Shop.connect(server, `guest ${n}`)));
  const [channel] = await Promise.all(clients.map((client) => client.createChannel()));
  await channel.assertQueue('window');
  await channel.consume('window', () => {}, { consumerTag: 'looker' });
  const ended = clients.map((client) => new Promise((resolve) => client.on('close', resolve)));
  const page = await open(browser, server, { hash: '#/consumers' });
  await logIn(page);
  await page.getByText('looker').waitFor();
  await visit(page, '#/channels?q=127');
  await page.locator('.tbody .name').first().click();
  await page.getByText('its connection').waitFor();
  await check(page, 'a channel');
  await visit(page, '#/connections?q=guest');
  await page.getByRole('link', { name: 'guest 1' }).waitFor();
  await page.getByLabel('Select all').check();
  await page.getByRole('button', { name: 'Close 2' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('2 connections');
  await page.getByRole('button', { name: 'Close them' }).click();
  await Promise.all(ended);
  await page.getByText('2 connections closed.').waitFor();
  await page.context().close();
});

test('colours are chosen, and remembered', async () => {
  const page = await open(browser, server, { colorScheme: 'light' });
  await logIn(page);
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('dark');
  await page.getByRole('option', { name: /Dark colours/ }).waitFor();
  await page.keyboard.press('Enter');
  const dark = await background();
  assert.notEqual(dark, light);
  await page.reload();
  await page.locator('.frame').waitFor();
  assert.equal(await background(), dark);
  await check(page, 'chosen colours');
  await page.context().close();
});

test('an address leads to the same place in another tab', async () => {
  await server.call('PUT', 'queues/%2F/deep', {});
  await publish('deep', 'down');
  const page = await open(browser, server);
  await logIn(page);
  await visit(page, '#/queues/%2F/deep?tab=messages');
  await page.getByText('down').waitFor();
  await visit(page, '#/queues');
  await page.getByRole('searchbox').fill('^de+p$');
  await page.getByRole('link', { name: 'deep' }).waitFor();
  const address = page.url();
  await page.goBack();
  await page.getByRole('heading', { level: 1, name: 'deep' }).waitFor();
  const other = await open(browser, server, { hash: new URL(address).hash });
  await logIn(other);
  assert.equal(await other.getByRole('searchbox').inputValue(), '^de+p$');
  await other.getByRole('link', { name: 'deep' }).waitFor();
  await other.context().close();
  await page.context().close();
});
