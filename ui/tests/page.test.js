// The page in a real browser, on a real server with clients that trade beside it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check, launch, logIn, open, PHONE, visit } from './support/browser.js';
import { Server } from './support/server.js';
import { Shop } from './support/shop.js';

let server, shop, browser;

before(async () => {
  server = await Server.start();
  shop = await Shop.open(server, { rate: 20 });
  await server.call('PUT', 'policies/%2F/limits', { pattern: '^warehouse', 'apply-to': 'queues', priority: 1, definition: { 'max-length': 1000 } });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await shop?.close();
  await server?.stop();
});

/** Every page, and what has to be on it. */
const PAGES = [
  ['#/', 'Overview', 'Messages per second'],
  ['#/queues', 'Queues', 'warehouse.eu'],
  ['#/queues/%2F/billing', 'billing', 'Messages in the queue'],
  ['#/queues/%2F/billing?tab=consumers', 'billing', 'billing-1'],
  ['#/queues/%2F/billing?tab=bindings', 'billing', 'order.*.created'],
  ['#/queues/%2F/billing?tab=publish', 'billing', 'Content type'],
  ['#/queues/%2F/audit.log?tab=messages', 'audit.log', 'No message is ready'],
  ['#/exchanges', 'Exchanges', 'notifications'],
  ['#/exchanges/%2F/orders', 'orders', 'pattern that its routing key fits'],
  ['#/exchanges/%2F/orders?tab=out', 'orders', 'order.us.#'],
  ['#/exchanges/%2F/amq.default', '(default)', 'Messages per second'],
  ['#/topology', 'Topology', 'warehouse.us'],
  ['#/connections', 'Connections', 'web shop'],
  ['#/channels', 'Channels', 'confirm'],
  ['#/consumers', 'Consumers', 'packer'],
  ['#/users', 'Users', 'guest'],
  ['#/users/guest', 'guest', 'Permissions'],
  ['#/vhosts', 'Virtual hosts', 'classic'],
  ['#/vhosts/%2F', '/', 'Who may enter'],
  ['#/policies', 'Policies', 'limits'],
  ['#/shovels', 'Shovels', 'No shovel carries anything'],
  ['#/log', 'Log', 'started TCP listener'],
  ['#/definitions', 'Definitions', 'Save a file'],
];

async function visitAll(page, pages = PAGES) {
  for (const [hash, title, text] of pages) {
    await visit(page, hash);
    await page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor();
    await page.getByText(text, { exact: false }).first().waitFor({ state: 'attached' });
    await check(page, hash);
  }
}

for (const colorScheme of ['light', 'dark']) {
  test(`every page shows what is there and is accessible, ${colorScheme}`, async () => {
    const page = await open(browser, server, { colorScheme });
    await check(page, 'login');
    await logIn(page);
    await visitAll(page);
    await page.context().close();
  });
}

test('every page fits on a phone', async () => {
  const page = await open(browser, server, PHONE);
  await logIn(page);
  for (const [hash, title] of PAGES) {
    await visit(page, hash);
    await page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, `${hash} is wider than the phone`);
  }
  await page.getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('link', { name: 'Exchanges' }).click();
  await page.getByRole('heading', { level: 1, name: 'Exchanges' }).waitFor();
  await check(page, 'phone');
  await page.context().close();
});

test('a wrong password is told in words, and a right one outlives loading the page again', async () => {
  const page = await open(browser, server);
  await page.getByLabel('User').fill('guest');
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').filter({ hasText: 'the password is another' }).waitFor();
  await logIn(page);
  await page.reload();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  assert.deepEqual(await page.context().cookies(), []);
  await page.getByLabel('Logged in as guest').click();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('button', { name: 'Log in' }).waitFor();
  await page.context().close();
});

test('figures move by themselves', async () => {
  const page = await open(browser, server);
  await logIn(page);
  const published = page.locator('.figure', { hasText: 'Published' }).locator('b');
  await page.waitForFunction(() => /[1-9]/.test(document.querySelector('.figure b')?.textContent ?? ''));
  assert.match(await published.textContent(), /\/s$/);
  await visit(page, '#/queues/%2F/emails');
  const ready = page.locator('.figure', { hasText: 'Ready' }).locator('b');
  await ready.waitFor();
  const first = await ready.textContent();
  await page.waitForFunction((first) => document.querySelector('.figure b')?.textContent !== first, first);
  await page.context().close();
});

test('a queue is made, filled, looked into, purged and deleted', async () => {
  const page = await open(browser, server);
  await logIn(page);
  await visit(page, '#/queues?new=1');
  const dialog = page.getByRole('dialog');
  await check(page, 'new queue');
  await dialog.getByLabel('Name', { exact: true }).fill('parcels');
  await dialog.getByRole('button', { name: 'x-max-length' }).click();
  await dialog.getByLabel('Value of x-max-length').fill('ten');
  await dialog.getByRole('button', { name: 'Make it' }).click();
  await dialog.getByRole('alert').filter({ hasText: 'x-max-length has to be a number' }).waitFor();
  await dialog.getByLabel('Value of x-max-length').fill('10');
  await dialog.getByRole('button', { name: 'Make it' }).click();
  await page.getByRole('heading', { level: 1, name: 'parcels' }).waitFor();
  const made = await server.call('GET', 'queues/%2F/parcels');
  assert.equal(made.arguments['x-max-length'], 10);
  assert.equal(made.durable, true);

  await page.getByRole('tab', { name: 'Publish' }).click();
  await page.getByLabel('Content type').fill('application/json');
  await page.getByLabel('Body').fill('{"weight": 3, "to": "Zoë"}');
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await page.getByText('The message is published.').waitFor();
  await page.getByRole('tab', { name: /Messages/ }).click();
  await page.locator('.message-head').click();
  await page.locator('pre.body', { hasText: '"to": "Zoë"' }).waitFor();
  await page.getByRole('button', { name: 'Hex' }).click();
  await page.locator('pre.body', { hasText: '7b 22 77' }).waitFor();
  await check(page, 'a message');
  assert.equal((await server.call('GET', 'queues/%2F/parcels')).messages, 1, 'it was not consumed');

  await page.getByRole('button', { name: 'Purge' }).click();
  const purge = page.getByRole('button', { name: 'Purge the queue' });
  assert.equal(await purge.isDisabled(), true, 'its name has to be typed');
  await check(page, 'purge');
  await page.getByRole('dialog').getByRole('textbox').fill('parcels');
  await purge.click();
  await page.getByText('The queue “parcels” is purged.').waitFor();
  assert.equal((await server.call('GET', 'queues/%2F/parcels')).messages, 0);
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('parcels');
  await page.getByRole('button', { name: 'Delete the queue' }).click();
  await page.getByRole('heading', { level: 1, name: 'Queues' }).waitFor();
  await assert.rejects(server.call('GET', 'queues/%2F/parcels'), /404/);
  await page.context().close();
});

test('queues are searched by regular expression, sorted, and their columns chosen', async () => {
  const page = await open(browser, server);
  await logIn(page);
  await visit(page, '#/queues');
  const names = () => page.locator('.tbody .name').allTextContents();
  await page.locator('.tbody .name').first().waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('^ware.*us$');
  await page.waitForFunction(() => document.querySelectorAll('.tbody .tr').length === 1);
  assert.deepEqual(await names(), ['warehouse.us']);
  assert.match(page.url(), /q=/, 'the search is part of the address');
  await page.getByRole('searchbox').fill('');
  await page.getByRole('button', { name: 'Name' }).click();
  assert.deepEqual((await names()).slice(0, 2), ['warehouse.us', 'warehouse.eu']);
  await page.getByLabel('Columns').click();
  await page.getByLabel('Memory').check();
  await page.getByRole('columnheader', { name: 'Memory' }).waitFor();
  await page.context().close();
});

test('dead letters show why they died', async () => {
  await server.call('PUT', 'queues/%2F/short', { durable: true, arguments: { 'x-message-ttl': 1, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'grave' } });
  await server.call('PUT', 'queues/%2F/grave', { durable: true });
  await server.call('POST', 'exchanges/%2F/amq.default/publish', { routing_key: 'short', payload: 'ashes', payload_encoding: 'string', properties: {} });
  const page = await open(browser, server);
  await logIn(page);
  await visit(page, '#/queues/%2F/grave?tab=messages');
  await page.locator('.message-head').click();
  const way = page.locator('.way');
  await way.getByText('was there longer than its time to live').waitFor();
  await way.getByRole('link', { name: 'short' }).waitFor();
  await check(page, 'a dead letter');
  await page.context().close();
});

test('dead letters go back where they died, unless it is called off', async () => {
  await server.call('PUT', 'queues/%2F/ward', { durable: true, arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'morgue' } });
  await server.call('PUT', 'queues/%2F/morgue', { durable: true });
  const ready = async (name) => (await server.call('GET', `queues/%2F/${name}`)).messages_ready;
  for (const payload of ['one', 'two', 'three']) {
    await server.call('POST', 'exchanges/%2F/amq.default/publish', { routing_key: 'ward', payload, payload_encoding: 'string', properties: {} });
  }
  await server.call('POST', 'queues/%2F/ward/get', { count: 3, ackmode: 'reject_requeue_false', encoding: 'auto' });
  const page = await open(browser, server, { hash: '#/queues/%2F/morgue?tab=messages' });
  await logIn(page);
  await page.getByLabel('Select message 2').check();
  await page.getByRole('button', { name: 'Send 1 back' }).click();
  await page.getByText('1 message will go back').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('It is undone.').waitFor();
  await page.getByRole('button', { name: 'Send 1 back' }).click();
  await page.getByText('1 to “ward”.').waitFor({ timeout: 10_000 });
  assert.deepEqual([await ready('ward'), await ready('morgue')], [1, 2]);
  assert.equal((await server.call('POST', 'queues/%2F/ward/get', { count: 1, ackmode: 'ack_requeue_true', encoding: 'auto' }))[0].payload, 'two');
  await page.getByRole('button', { name: 'Send all dead letters back' }).click();
  await page.getByText('2 to “ward”.').waitFor({ timeout: 10_000 });
  assert.deepEqual([await ready('ward'), await ready('morgue')], [3, 0]);
  await page.context().close();
});

test('messages are moved, and looking at them marks nothing', async () => {
  await server.call('PUT', 'queues/%2F/here', {});
  await server.call('PUT', 'queues/%2F/there', {});
  for (const payload of ['a', 'b', 'c']) {
    await server.call('POST', 'exchanges/%2F/amq.default/publish', { routing_key: 'here', payload, payload_encoding: 'string', properties: {} });
  }
  const page = await open(browser, server, { hash: '#/queues/%2F/here?tab=messages' });
  await logIn(page);
  await page.getByLabel('Select message 1').check();
  await page.getByLabel('Select message 3').check();
  await page.getByRole('button', { name: 'Move 2' }).click();
  await check(page, 'move');
  await page.getByLabel('To the queue').fill('there');
  await page.getByRole('button', { name: 'Move', exact: true }).click();
  await page.getByText('2 to “there”.').waitFor();
  const moved = await server.call('POST', 'queues/%2F/there/get', { count: 9, ackmode: 'ack_requeue_false', encoding: 'auto' });
  assert.deepEqual(moved.map(({ payload, redelivered }) => [payload, redelivered]), [['a', false], ['c', false]]);
  await page.getByRole('searchbox').fill('zzz');
  await page.getByText('0 of the first 1').waitFor();
  await page.context().close();
});

test('messages are copied, and some are deleted once the name is typed', async () => {
  await server.call('PUT', 'queues/%2F/desk drawer', {});
  await server.call('PUT', 'queues/%2F/safe', {});
  for (const payload of ['a', 'b', 'c']) {
    await server.call('POST', 'exchanges/%2F/amq.default/publish', { routing_key: 'desk drawer', payload, payload_encoding: 'string', properties: {} });
  }
  const page = await open(browser, server, { hash: '#/queues/%2F/desk%20drawer?tab=messages' });
  await logIn(page);
  await page.getByLabel('Select message 2').check();
  await page.getByRole('button', { name: 'Copy 1' }).click();
  await page.getByLabel('To the queue').fill('safe');
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await page.getByText('1 to “safe”.').waitFor();
  await page.getByLabel('Select message 1').check();
  await page.getByRole('button', { name: 'Delete 1' }).click();
  await check(page, 'delete messages');
  const sure = page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true });
  assert.equal(await sure.isDisabled(), true);
  await page.getByLabel(/type desk drawer/).fill('desk drawer');
  await sure.click();
  await page.getByText('1 message deleted.').waitFor();
  const left = await server.call('POST', 'queues/%2F/desk%20drawer/get', { count: 9, ackmode: 'ack_requeue_false', encoding: 'auto' });
  assert.deepEqual(left.map(({ payload }) => payload), ['b', 'c']);
  await page.context().close();
});

test('unacknowledged messages are shown with who holds them', async () => {
  await server.call('PUT', 'queues/%2F/desk', {});
  await server.call('POST', 'exchanges/%2F/amq.default/publish', { routing_key: 'desk', payload: 'letter', payload_encoding: 'string', properties: {} });
  const clerk = await Shop.connect(server, 'clerk');
  const channel = await clerk.createChannel();
  await channel.consume('desk', () => {}, { consumerTag: 'slow clerk' });
  const page = await open(browser, server, { hash: '#/queues/%2F/desk?tab=unacked' });
  await logIn(page);
  await page.locator('.message-head').click();
  await page.getByRole('link', { name: 'slow clerk' }).waitFor();
  const since = page.locator('.about', { hasText: 'since' }).locator('time');
  assert.match(await since.getAttribute('title'), / UTC$/);
  await check(page, 'unacked');
  await clerk.close();
  await page.context().close();
});

test('a queue is held, lets one message go, and works again', async () => {
  await server.call('PUT', 'queues/%2F/gate', {});
  const page = await open(browser, server, { hash: '#/queues/%2F/gate' });
  await logIn(page);
  await page.getByRole('button', { name: 'Hold' }).click();
  await page.getByText('This queue is held:').waitFor();
  await check(page, 'held');
  await page.getByRole('button', { name: 'Release' }).click();
  await page.getByText('The next 1 may go.').waitFor();
  await page.getByRole('button', { name: 'End the hold' }).click();
  await page.getByText('This queue is held:').waitFor({ state: 'detached' });
  assert.deepEqual(await server.call('GET', 'leveret/queues/%2F/gate/hold'), { held: false });
  await page.context().close();
});

test('a stream is read from anywhere, and its offsets are set and forgotten', async () => {
  await server.call('PUT', 'queues/%2F/story', { durable: true, arguments: { 'x-queue-type': 'stream' } });
  for (let chapter = 0; chapter < 3; chapter += 1) {
    await server.call('POST', 'exchanges/%2F/amq.default/publish', { routing_key: 'story', payload: `chapter ${chapter}`, payload_encoding: 'string', properties: {} });
  }
  const page = await open(browser, server, { hash: '#/queues/%2F/story?tab=messages' });
  await logIn(page);
  await page.getByText('chapter 0').waitFor();
  await page.getByLabel('Messages to skip').fill('2');
  await page.getByLabel('Messages to skip').press('Enter');
  await page.getByText('chapter 0').waitFor({ state: 'detached' });
  await page.getByText('chapter 2').waitFor();
  await check(page, 'a stream');
  await page.getByRole('tab', { name: 'Offsets' }).click();
  await page.getByLabel('Reader').fill('grandma');
  await page.getByLabel('Offset', { exact: true }).fill('1');
  await page.getByRole('button', { name: 'Set it' }).click();
  const row = page.getByRole('row', { name: /grandma/ });
  await row.getByText('1 message').waitFor();
  await check(page, 'offsets');
  await row.getByRole('button', { name: 'Forget' }).click();
  await page.getByText('No reader has left an offset').waitFor();
  await page.context().close();
});

test('delayed messages are shown with their time, sent on and dropped', async () => {
  await server.call('PUT', 'exchanges/%2F/slow', { type: 'x-delayed-message', arguments: { 'x-delayed-type': 'fanout' } });
  await server.call('PUT', 'queues/%2F/later', {});
  await server.call('POST', 'bindings/%2F/e/slow/q/later', { routing_key: '' });
  for (const payload of ['first', 'second']) {
    await server.call('POST', 'exchanges/%2F/slow/publish', { routing_key: '', payload, payload_encoding: 'string', properties: { headers: { 'x-delay': 3_600_000 } } });
  }
  const page = await open(browser, server, { hash: '#/exchanges/%2F/slow?tab=delayed' });
  await logIn(page);
  await page.getByText('2 messages').waitFor();
  await page.getByText('in 59 min').first().waitFor();
  await check(page, 'delayed');
  await page.locator('.message-head').first().click();
  assert.equal(await page.getByText('x-delay', { exact: true }).count(), 0, 'the time says it');
  await page.getByRole('button', { name: 'Send it now' }).click();
  await page.getByText('1 message sent on.').waitFor();
  assert.equal((await server.call('GET', 'queues/%2F/later')).messages, 1);
  await page.getByRole('button', { name: 'Drop all' }).click();
  await page.getByText('No message is waiting').waitFor({ timeout: 10_000 });
  await page.context().close();
});

test('a routing key that is typed lights up its way', async () => {
  const page = await open(browser, server, { hash: '#/topology' });
  await logIn(page);
  await page.getByLabel('A message published to').selectOption('orders');
  await page.getByLabel('with the routing key').fill('order.us.paid');
  await page.getByText('2 queues get it:').waitFor();
  assert.deepEqual((await page.locator('.node.lit .title').allTextContents()).map((name) => name.trim()).sort(), ['audit', 'audit.log', 'orders', 'warehouse.us']);
  await page.getByText('nearly match').click();
  await page.getByText('“created” would have to be in its place').waitFor();
  await check(page, 'a way');
  await page.getByLabel('A message published to').selectOption('notifications');
  await page.getByLabel('and the headers').fill('{"channel": "email"}');
  await page.getByText('1 queue gets it:').waitFor();
  await page.getByRole('button', { name: 'Explain it' }).click();
  await page.locator('pre', { hasText: 'emails' }).waitFor();
  await page.context().close();
});

test('bindings are made, taken away, and come back', async () => {
  const page = await open(browser, server, { hash: '#/queues/%2F/emails?tab=bindings' });
  await logIn(page);
  await page.getByLabel('Exchange', { exact: true }).fill('orders');
  await page.getByLabel('Binding key').fill('order.mail');
  await page.getByRole('button', { name: 'Bind', exact: true }).click();
  const row = page.getByRole('row', { name: /order\.mail/ });
  await row.getByRole('button', { name: 'Unbind' }).click();
  await row.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Undo' }).click();
  await row.waitFor();
  await page.context().close();
});

test('users, permissions, virtual hosts and policies are made and deleted', async () => {
  const page = await open(browser, server);
  await logIn(page);
  await visit(page, '#/vhosts?new=1');
  await check(page, 'new virtual host');
  await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill('staging');
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.getByRole('link', { name: 'staging' }).waitFor();
  await visit(page, '#/users?new=1');
  await check(page, 'new user');
  await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill('ada');
  await page.getByRole('dialog').getByLabel('Password').fill('lovelace');
  await page.getByRole('checkbox', { name: /management:/ }).check();
  await page.getByRole('button', { name: 'Make the user' }).click();
  await page.getByRole('link', { name: 'ada' }).click();
  await page.getByLabel('Virtual host').first().selectOption('staging');
  await page.getByLabel('write').fill('^out');
  await page.getByRole('button', { name: 'Set the permissions' }).click();
  await page.getByRole('row', { name: /staging.*\^out/ }).waitFor();
  assert.equal((await server.call('GET', 'permissions/staging/ada')).write, '^out');
  await page.getByLabel('Keys to publish with').fill('^eu');
  await page.getByRole('button', { name: 'Set the keys' }).click();
  await page.getByRole('row', { name: /amq\.topic.*\^eu/ }).waitFor();
  await page.getByLabel('Most channels').fill('5');
  await page.getByRole('button', { name: 'Set the limits' }).click();
  await page.getByText('The limits are set.').waitFor();
  assert.deepEqual((await server.call('GET', 'user-limits/ada'))[0].value, { 'max-channels': 5 });

  await visit(page, '#/policies?new=1');
  await check(page, 'new policy');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name', { exact: true }).fill('brief');
  await dialog.getByLabel('Virtual host').selectOption('/');
  await dialog.getByLabel('Pattern').fill('^em');
  await dialog.getByText('fits 1 queue').waitFor();
  await dialog.getByRole('button', { name: 'message-ttl' }).click();
  await dialog.getByLabel('Value of message-ttl').fill('60000');
  await dialog.getByRole('button', { name: 'Set it' }).click();
  await page.getByRole('button', { name: 'brief' }).click();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('The policy “brief” is removed.').waitFor();

  await visit(page, '#/users/ada');
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('ada');
  await page.getByRole('button', { name: 'Delete the user' }).click();
  await page.getByText('The user “ada” is deleted.').waitFor();
  await visit(page, '#/vhosts/staging');
  await page.getByRole('button', { name: 'Protect' }).click();
  await page.getByText('“staging” is protected from deletion.').waitFor();
  await page.getByRole('button', { name: 'Lift the protection' }).click();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('staging');
  await page.getByRole('button', { name: 'Delete the virtual host' }).click();
  await page.getByText('The virtual host “staging” is deleted.').waitFor();
  await page.context().close();
});

test('definitions go out and come in', async () => {
  const page = await open(browser, server, { hash: '#/definitions' });
  await logIn(page);
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save a file' }).click();
  const path = await (await saved).path();
  await page.getByLabel('File').setInputFiles({
    name: 'more.json',
    mimeType: 'application/json',
    buffer: Buffer.from(JSON.stringify({ vhosts: [{ name: '/' }], queues: [{ name: 'imported', vhost: '/', durable: true, auto_delete: false, arguments: {} }] })),
  });
  await page.getByText('1 queue').waitFor();
  await page.getByRole('button', { name: 'Take them in' }).click();
  await page.getByText('more.json is in').waitFor();
  await server.call('GET', 'queues/%2F/imported');
  await page.getByLabel('File').setInputFiles(path);
  await page.getByText(/It has .*bindings/).waitFor();
  await page.context().close();
});

test('a connection is closed by typing', async () => {
  const page = await open(browser, server, { hash: '#/connections' });
  await logIn(page);
  const doomed = await Shop.connect(server, 'doomed');
  const ended = new Promise((resolve) => doomed.on('close', resolve));
  await page.getByRole('link', { name: 'doomed' }).click();
  await page.getByText('Octets per second').waitFor();
  await check(page, 'a connection');
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('close');
  await page.getByRole('button', { name: 'Close it' }).click();
  await ended;
  await page.getByRole('heading', { level: 1, name: 'Connections' }).waitFor();
  await page.context().close();
});

test('the palette finds queues and pages, and the keyboard leads everywhere', async () => {
  const page = await open(browser, server);
  await logIn(page);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('ware eu');
  await page.getByRole('option', { name: /warehouse\.eu/ }).waitFor();
  await check(page, 'palette');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'warehouse.eu' }).waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('c');
  await page.getByRole('heading', { level: 1, name: 'Connections' }).waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
  await check(page, 'help');
  await page.keyboard.press('Escape');
  await page.keyboard.press('g');
  await page.keyboard.press('q');
  await page.getByRole('heading', { level: 1, name: 'Queues' }).waitFor();
  await page.locator('.table').getByText('audit.log').first().waitFor();
  await page.locator('.table').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'audit.log' }).waitFor();
  await page.context().close();
});

test('an address that leads nowhere says so', async () => {
  const page = await open(browser, server, { hash: '#/nowhere' });
  await logIn(page);
  await page.getByText('There is no such page').waitFor();
  await visit(page, '#/queues/%2F/no-such-queue');
  await page.getByText('There is no queue “no-such-queue”').waitFor();
  await check(page, 'nowhere');
  await page.context().close();
});
