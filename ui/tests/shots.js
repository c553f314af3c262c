// Pictures of all pages, light and dark, on a large window and on a phone: to be looked at.
//
//     node tests/shots.js FOLDER [PART OF A NAME]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch, logIn, open, PHONE, visit } from './support/browser.js';
import { Server } from './support/server.js';
import { Shop } from './support/shop.js';

const [folder = 'shots', only = ''] = process.argv.slice(2);
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
};

const server = await Server.start();
const shop = await Shop.open(server);
await new Promise((resolve) => setTimeout(resolve, 12_000));
const browser = await launch();
try {
  for (const [device, options] of [['large', {}], ['phone', PHONE]]) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open(browser, server, { colorScheme, ...options });
      if (!only) await page.screenshot({ path: join(folder, `login-${device}-${colorScheme}.png`) });
      await logIn(page);
      for (const [name, hash] of Object.entries(PAGES)) {
        if (!name.includes(only)) continue;
        await visit(page, hash);
        await page.waitForTimeout(name === 'overview' || name === 'queue' ? 4000 : 1600);
        if (name === 'messages') await page.locator('.message-head').first().click();
        await page.screenshot({ path: join(folder, `${name}-${device}-${colorScheme}.png`) });
      }
      if (page.wrongs.length) console.error(page.wrongs);
      await page.context().close();
    }
  }
} finally {
  await browser.close();
  await shop.close();
  await server.stop();
}
