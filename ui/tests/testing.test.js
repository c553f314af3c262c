// The pages of a broker that is one of a test.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check, launch, logIn, open, PHONE, visit } from './support/browser.js';
import { TestServer } from './support/server.js';
import { Shop } from './support/shop.js';

let server, browser, connection, channel;

before(async () => {
  server = await TestServer.start(['--manual-clock', '--lint', 'warn']);
  connection = await Shop.connect(server, 'the test');
  channel = await connection.createConfirmChannel();
  await channel.assertQueue('dead letters', { durable: true });
  await channel.assertQueue('jobs', { durable: true, messageTtl: 60_000, deadLetterExchange: '', deadLetterRoutingKey: 'dead letters' });
  await channel.assertQueue('odd', { durable: true, arguments: { 'x-mesage-ttl': 5 } });
  await server.control('POST', '/faults', { on: 'confirms', nth: 100, then: 'nack' });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await connection?.close().catch(() => {});
  await server?.stop();
});

const ready = async (name) => (await server.call('GET', `queues/%2F/${encodeURIComponent(name)}`)).messages_ready;

test('the clock is moved to the next deadline, and what waited for it happens', async () => {
  const page = await open(browser, server);
  await logIn(page);
  channel.sendToQueue('jobs', Buffer.from('late'), { persistent: true });
  await channel.waitForConfirms();
  await page.getByRole('link', { name: 'Clock and faults' }).click();
  await page.getByText('The next deadline is in 1 min').waitFor();
  const deadlines = page.getByRole('region', { name: 'Deadlines' });
  await deadlines.getByRole('row', { name: /queue jobs the message at the head expires/ }).waitFor();
  await check(page, 'test');
  await page.getByRole('button', { name: '+ 1 s', exact: true }).click();
  await page.getByText('The next deadline is in 59 s').waitFor();
  await page.getByRole('button', { name: 'To the next deadline' }).click();
  await page.getByText('Nothing waits for a time').waitFor();
  assert.deepEqual([await ready('jobs'), await ready('dead letters')], [0, 1]);
  await page.context().close();
});

test('the journal draws what happened, and the life of one message', async () => {
  const page = await open(browser, server, { hash: '#/journal' });
  await logIn(page);
  await page.getByRole('heading', { level: 1, name: 'Journal' }).waitFor();
  const line = page.getByRole('button', { name: /dead-lettered/ }).first();
  await line.waitFor();
  await check(page, 'journal');
  const before = await page.locator('.sequence li').count();
  await line.click();
  await page.getByText('The life of one message').waitFor();
  await page.waitForFunction((all) => document.querySelectorAll('.sequence li').length < all, before);
  await page.locator('.sequence').getByText('publish “jobs”').first().waitFor();
  await page.getByLabel('Search the journal').fill('nothing like it');
  await page.getByText('Nothing has happened').waitFor();
  await page.context().close();
});

test('faults show how often they fired, and are taken back; lints are listed', async () => {
  const page = await open(browser, server, { hash: '#/test' });
  await logIn(page);
  const faults = page.getByRole('region', { name: 'Faults' });
  await faults.getByText('never').waitFor();
  await faults.getByRole('button', { name: 'Take back' }).click();
  await faults.getByText('Nothing is to go wrong').waitFor();
  assert.equal((await server.call('GET', 'leveret/testing')).faults.length, 0);
  await page.getByText(/x-mesage-ttl.*has no effect/).waitFor();
  await page.context().close();
});

test('a snapshot is taken and restored', async () => {
  const page = await open(browser, server, { hash: '#/test' });
  await logIn(page);
  await channel.purgeQueue('jobs');
  const snapshots = page.getByRole('region', { name: 'Snapshots' });
  await snapshots.getByRole('button', { name: 'Take one now' }).click();
  await snapshots.getByRole('button', { name: 'Restore…' }).waitFor();
  channel.sendToQueue('jobs', Buffer.from('after'), { persistent: true });
  await channel.waitForConfirms();
  assert.equal(await ready('jobs'), 1);
  await snapshots.getByRole('button', { name: 'Restore…' }).click();
  await page.getByLabel(/type restore/).fill('restore');
  await page.getByRole('button', { name: 'Restore', exact: true }).click();
  await page.getByText('The broker is what it was').waitFor();
  assert.equal(await ready('jobs'), 0);
  await check(page, 'test with a snapshot');
  await page.context().close();
});

test('the pages of tests fit on a phone', async () => {
  const page = await open(browser, server, { ...PHONE, colorScheme: 'dark' });
  await logIn(page);
  for (const hash of ['#/test', '#/journal']) {
    await visit(page, hash);
    await page.locator('main h1').waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, `${hash} is wider than the phone`);
    await check(page, hash);
  }
  await page.context().close();
});
