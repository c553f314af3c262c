// Pictures of all pages, light and dark, on a large window and on a phone: to be looked at.
//
//     node tests/shots.js FOLDER [PART OF A NAME [SECONDS OF TRADE BEFORE]]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch, logIn, open, PHONE, visit } from './support/browser.js';
import { Server } from './support/server.js';
import { Shop } from './support/shop.js';

const [folder = 'shots', only = '', seconds = '12'] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

const PAGES = {
  overview: '#/',
  queues: '#/queues',
  'new-queue': '#/queues?new=1',
  queue: '#/queues/%2F/billing',
  messages: '#/queues/%2F/dead%20letters?tab=messages',
  'queue-consumers': '#/queues/%2F/billing?tab=consumers',
  'queue-bindings': '#/queues/%2F/billing?tab=bindings',
  'queue-publish': '#/queues/%2F/billing?tab=publish',
  exchanges: '#/exchanges',
  exchange: '#/exchanges/%2F/orders',
  'exchange-out': '#/exchanges/%2F/orders?tab=out',
  topology: '#/topology',
  'topology-try': '#/topology?exchange=orders&key=order.eu.created',
  connections: '#/connections',
  channels: '#/channels',
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
  log: '#/log',
  definitions: '#/definitions',
  nowhere: '#/nowhere',
};

const server = await Server.start();
const shop = await Shop.open(server);
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
}

async function shoot({ device, options }) {
  const path = (name) => join(folder, `${name}-${device}-${options.colorScheme}.png`);
  const page = await open(browser, server, options);
  if (!only) await page.screenshot({ path: path('login') });
  await logIn(page);
  for (const [name, hash] of Object.entries(PAGES)) {
    if (!name.includes(only)) continue;
    await visit(page, hash);
    await page.waitForTimeout(name === 'overview' || name === 'queue' ? 5000 : 2000);
    if (name === 'messages') await page.locator('.message-head').first().click();
    await page.screenshot({ path: path(name) });
  }
  if (page.wrongs.length) console.error(page.wrongs);
  await page.context().close();
}
