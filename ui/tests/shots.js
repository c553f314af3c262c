// Pictures of all pages, light and dark, on a large window and on a phone: to be looked at.
//
//     node tests/shots.js FOLDER [PART OF A NAME [SECONDS OF TRADE BEFORE]]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch, logIn, open, PHONE, visit } from './support/browser.js';
import { Server, TestServer } from './support/server.js';
import { Shop } from './support/shop.js';

const [folder = 'shots', only = '', seconds = '12'] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

const PAGES = {
  overview: '#/',
  queues: '#/queues',
  'new-queue': '#/queues?new=1',
  queue: '#/queues/%2F/billing',
  messages: ['#/queues/%2F/dead%20letters?tab=messages', '.message-head'],
  unacked: ['#/queues/%2F/warehouse.eu?tab=unacked', '.message-head'],
  stream: '#/queues/%2F/story?tab=messages',
  offsets: '#/queues/%2F/story?tab=offsets',
  delayed: ['#/exchanges/%2F/reminders?tab=delayed', '.message-head'],
  purge: ['#/queues/%2F/emails', 'button:text("Purge")'],
  palette: ['#/', '.find'],
  'queue-consumers': '#/queues/%2F/billing?tab=consumers',
  'queue-bindings': '#/queues/%2F/billing?tab=bindings',
  'queue-publish': '#/queues/%2F/billing?tab=publish',
  exchanges: '#/exchanges',
  exchange: '#/exchanges/%2F/orders',
  'exchange-out': '#/exchanges/%2F/orders?tab=out',
  topology: '#/topology',
  'topology-try': '#/topology?exchange=orders&key=order.eu.created',
  connections: '#/connections',
  connection: ['#/connections', '.tbody .name'],
  channels: '#/channels',
  channel: ['#/channels', '.tbody .name'],
  consumers: '#/consumers',
  users: '#/users',
  user: '#/users/guest',
  'new-user': '#/users?new=1',
  vhosts: '#/vhosts',
  vhost: '#/vhosts/%2F',
  policies: '#/policies',
  'new-policy': '#/policies?new=1',
  shovels: '#/shovels',
  'new-shovel': '#/shovels?new=1',
  federation: '#/federation',
  upstreams: '#/federation?tab=upstreams',
  'new-upstream': '#/federation?tab=upstreams&new=1',
  log: '#/log',
  definitions: '#/definitions',
  nowhere: '#/nowhere',
};

/** Of a broker for tests. */
const TEST_PAGES = { test: '#/test', journal: '#/journal' };

const server = await Server.start();
const shop = await Shop.open(server);
await more(server);
const testServer = await TestServer.start(['--manual-clock', '--lint', 'warn']);
await moreOfTests(testServer);
await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
const browser = await launch();
try {
  const kinds = [['large', {}], ['phone', PHONE]].flatMap(([device, options]) =>
    ['light', 'dark'].map((colorScheme) => ({ device, options: { colorScheme, ...options } })),
  );
  await Promise.all(kinds.map(shoot));
} finally {
  await browser.close();
  await shop.close();
  await server.stop();
  await testServer.stop();
}

/** What the shop does not need: a stream, delayed messages, a shovel, a link of federation. */
async function more(server) {
  const publish = (exchange, routing_key, payload, headers = {}) =>
    server.call('POST', `exchanges/%2F/${exchange}/publish`, { routing_key, payload, payload_encoding: 'string', properties: { content_type: 'text/plain', headers } });
  await server.call('PUT', 'queues/%2F/story', { durable: true, arguments: { 'x-queue-type': 'stream' } });
  for (let n = 1; n < 8; n += 1) await publish('amq.default', 'story', `Chapter ${n}, in which a hare runs`);
  await server.call('PUT', 'leveret/streams/%2F/story/offsets/reader', { offset: 3 });
  await server.call('PUT', 'exchanges/%2F/reminders', { type: 'x-delayed-message', durable: true, arguments: { 'x-delayed-type': 'fanout' } });
  for (const minutes of [5, 90, 2000]) await publish('reminders', '', `Your order is ${minutes} minutes old`, { 'x-delay': minutes * 60_000 });
  await server.call('PUT', 'queues/%2F/archive', { durable: true });
  await server.call('PUT', 'parameters/shovel/%2F/to%20the%20archive', {
    value: { 'src-uri': 'amqp://', 'src-queue': 'emails', 'dest-uri': 'amqp://', 'dest-queue': 'archive' },
  });
  await server.call('PUT', 'vhosts/headquarters', {});
  await server.call('PUT', 'exchanges/headquarters/prices', { type: 'topic', durable: true });
  await server.call('PUT', 'exchanges/%2F/prices', { type: 'topic', durable: true });
  const uri = `amqp://guest:guest@127.0.0.1:${server.amqp}/headquarters`;
  await server.call('PUT', 'parameters/federation-upstream/%2F/headquarters', { value: { uri, 'max-hops': 1 } });
  await server.call('PUT', 'policies/%2F/prices', { pattern: '^prices$', 'apply-to': 'exchanges', definition: { 'federation-upstream': 'headquarters' } });
}

async function moreOfTests(server) {
  const client = await Shop.connect(server, 'the test');
  const channel = await client.createConfirmChannel();
  await channel.assertQueue('dead letters', { durable: true });
  await channel.assertQueue('jobs', { durable: true, messageTtl: 60_000, deadLetterExchange: '', deadLetterRoutingKey: 'dead letters' });
  await channel.assertQueue('odd', { durable: true, arguments: { 'x-mesage-ttl': 5 } });
  await server.control('POST', '/faults', { on: 'confirms', nth: 100, then: 'nack' });
  for (const job of ['wash', 'dry', 'iron']) channel.sendToQueue('jobs', Buffer.from(job), { persistent: true });
  await channel.waitForConfirms();
  await channel.get('jobs', { noAck: true });
}

async function shoot({ device, options }) {
  await shootAll(server, PAGES, device, options);
  await shootAll(testServer, TEST_PAGES, device, options);
}

async function shootAll(server, pages, device, options) {
  const path = (name) => join(folder, `${name}-${device}-${options.colorScheme}.png`);
  const page = await open(browser, server, options);
  if (!only && pages === PAGES) await page.screenshot({ path: path('login') });
  await logIn(page);
  for (const [name, place] of Object.entries(pages)) {
    if (!name.includes(only)) continue;
    const [hash, then] = [place].flat();
    await visit(page, hash);
    await page.waitForTimeout(name === 'overview' || name === 'queue' ? 5000 : 2000);
    if (then) {
      // What a phone hides behind a button is looked at on a large window.
      const first = page.locator(then).first();
      if (!(await first.isVisible())) continue;
      await first.click();
      await page.waitForTimeout(2000);
    }
    await page.screenshot({ path: path(name) });
    await page.keyboard.press('Escape');
  }
  if (page.wrongs.length) console.error(page.wrongs);
  await page.context().close();
}
