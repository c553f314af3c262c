// What users of each tag see, and what names and contents that mean harm can do.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import amqp from 'amqplib';
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

async function user(name, tags, ...vhosts) {
  await server.call('PUT', `users/${name}`, { password: name, tags });
  for (const vhost of vhosts) {
    await server.call('PUT', `permissions/${encodeURIComponent(vhost)}/${name}`, { configure: '.*', write: '.*', read: '.*' });
  }
}

const places = (page) => page.locator('nav li a').allTextContents();

test('users see what their tags and permissions let them see', async () => {
  await server.call('PUT', 'vhosts/secret', {});
  await server.call('PUT', 'queues/secret/plans', {});
  await server.call('PUT', 'queues/%2F/open', {});
  await user('mona', ['management'], '/');
  await user('polly', ['policymaker'], '/');
  await user('monty', ['monitoring'], '/');
  await user('nobody', [], '/');

  const everybody = ['Overview', 'Queues', 'Exchanges', 'Topology', 'Connections', 'Channels', 'Consumers', 'Virtual hosts', 'Policies'];
  for (const name of ['mona', 'polly', 'monty']) {
    const page = await open(browser, server, { hash: '#/queues' });
    await logIn(page, name, name);
    await page.getByRole('link', { name: 'open' }).waitFor();
    const more = { mona: [], polly: ['Federation'], monty: ['Shovels', 'Federation', 'Log'] }[name];
    assert.deepEqual(await places(page), [...everybody, ...more], name);
    await visit(page, '#/log');
    await page.getByText(name === 'monty' ? 'started TCP listener' : 'You may not see the log').waitFor();
    await visit(page, '#/queues');
    assert.equal(await page.getByText('plans').count(), 0, `${name} sees no queue of another virtual host`);
    await visit(page, '#/queues/secret/plans');
    await page.getByText('You may not see this queue').waitFor();
    await visit(page, '#/users');
    await page.getByText('This is for administrators').waitFor();
    await visit(page, '#/policies');
    await page.getByRole('heading', { level: 1, name: 'Policies' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'New policy' }).count(), name === 'polly' ? 1 : 0);
    await visit(page, '#/');
    await page.getByText('Messages per second').waitFor();
    assert.equal(await page.getByText('up for').count(), name === 'monty' ? 1 : 0, `${name} and the node`);
    await check(page, name);
    await page.context().close();
  }
  const page = await open(browser, server);
  await page.getByLabel('User').fill('nobody');
  await page.getByLabel('Password').fill('nobody');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').filter({ hasText: 'may not use management' }).waitFor();
  await page.context().close();
});

test('whose rights are taken away is shown nothing more', async () => {
  await user('leaver', ['management'], '/');
  const page = await open(browser, server);
  await logIn(page, 'leaver', 'leaver');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await server.call('DELETE', 'users/leaver');
  await page.getByRole('button', { name: 'Log in' }).waitFor();
  await page.context().close();
});

const EVIL = `<img src=x onerror="document.title='evil'">'"\`</script><script>document.title='evil'</script>`;
const LINK = 'javascript:alert(1)';

test('names, headers, bodies and client properties are texts, whatever is in them', async () => {
  const seg = encodeURIComponent;
  await server.call('PUT', `vhosts/${seg(EVIL)}`, { description: EVIL });
  await server.call('PUT', `queues/%2F/${seg(EVIL)}`, { arguments: { 'x-evil': EVIL } });
  await server.call('PUT', `queues/%2F/${seg(LINK)}`, {});
  await server.call('PUT', `exchanges/%2F/${seg(EVIL)}`, { type: 'topic' });
  await server.call('POST', `bindings/%2F/e/${seg(EVIL)}/q/${seg(EVIL)}`, { routing_key: EVIL, arguments: { [EVIL]: EVIL } });
  await server.call('PUT', `policies/%2F/${seg(EVIL)}`, { pattern: '^<', 'apply-to': 'queues', definition: { 'max-length': 1000 } });
  await server.call('POST', `exchanges/%2F/${seg(EVIL)}/publish`, {
    routing_key: EVIL,
    payload: EVIL,
    payload_encoding: 'string',
    properties: { content_type: EVIL, headers: { [EVIL]: EVIL, 'x-death': [{ queue: LINK, reason: EVIL, exchange: EVIL, 'routing-keys': [EVIL], count: 1, time: 1 }] } },
  });
  const client = await Shop.connect(server, EVIL);
  const channel = await client.createChannel();
  await channel.consume(LINK, () => {}, { consumerTag: EVIL });
  await server.call('PUT', `users/${seg(EVIL)}`, { password: 'x', tags: [EVIL] });
  await server.call('PUT', `parameters/federation-upstream/%2F/${seg(EVIL)}`, { value: { uri: `amqp:///${seg(EVIL)}`, exchange: EVIL } });
  await server.call('PUT', `policies/%2F/${seg(`federation ${EVIL}`)}`, { pattern: '^<', 'apply-to': 'exchanges', definition: { 'federation-upstream': EVIL } });
  // Whoever cannot log in has his name in the log.
  await fetch(`${server.url}api/whoami`, { headers: { authorization: `Basic ${Buffer.from(`${EVIL}:x`).toString('base64')}` } });
  const login = `amqp://${seg(EVIL)}:x@127.0.0.1:${server.amqp}`;
  await assert.rejects(amqp.connect(login));
  const uri = `amqp:///${seg(EVIL)}`;
  await server.call('PUT', `parameters/shovel/%2F/${seg(EVIL)}`, { value: { 'src-uri': 'amqp://', 'src-queue': LINK, 'dest-uri': uri, 'dest-queue': EVIL } });
  const page = await open(browser, server);
  await logIn(page);
  const queue = `#/queues/%2F/${seg(EVIL)}`;
  const pages = ['#/', '#/queues', queue, `${queue}?tab=bindings`, `${queue}?tab=messages`, '#/exchanges', `#/exchanges/%2F/${seg(EVIL)}`, '#/topology', '#/connections', '#/vhosts', `#/vhosts/${seg(EVIL)}`, '#/policies', '#/channels', '#/consumers', '#/users', `#/users/${seg(EVIL)}`, '#/log', '#/shovels', '#/federation', '#/federation?tab=upstreams', `#/queues/%2F/${seg(LINK)}`, `#/${seg(EVIL)}`];
  for (const hash of pages) {
    await visit(page, hash);
    await page.waitForTimeout(700);
    if (hash.endsWith('messages')) {
      await page.locator('.message-head').click();
      await page.locator('pre.body').waitFor();
    }
    const found = await page.evaluate(() => ({
      title: document.title,
      images: document.querySelectorAll('img').length,
      scripts: document.querySelectorAll('body script').length,
      links: [...document.querySelectorAll('a')].filter((a) => a.protocol === 'javascript:').length,
    }));
    assert.notEqual(found.title, 'evil', hash);
    assert.deepEqual([found.images, found.scripts, found.links], [0, 0, 0], hash);
    assert.deepEqual(page.wrongs, [], hash);
  }
  await client.close();
  await page.context().close();
});

test('a page of another origin can do nothing with the login of this one', async () => {
  const page = await open(browser, server);
  await logIn(page);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  const other = await page.context().newPage();
  // The same host by another name is another origin.
  await other.goto(server.url.replace('127.0.0.1', 'localhost'));
  const outcomes = await other.evaluate(async (url) => {
    const attempt = (path, options) =>
      fetch(url + path, { credentials: 'include', ...options }).then(
        (response) => response.status,
        () => 'refused',
      );
    return [
      await attempt('api/queues'),
      await attempt('api/queues/%2F/stolen', { method: 'PUT', body: '{}' }),
      await attempt('api/queues/%2F/stolen', { method: 'PUT', body: '{}', headers: { authorization: `Basic ${btoa('guest:guest')}` } }),
      await attempt('api/login', { method: 'POST', mode: 'no-cors', body: 'username=guest&password=guest' }),
      sessionStorage.length,
    ];
  }, server.url);
  assert.deepEqual(outcomes.slice(0, 3), ['refused', 'refused', 'refused']);
  assert.equal(outcomes[4], 0, 'it does not have the login');
  await assert.rejects(server.call('GET', 'queues/%2F/stolen'), /404/);
  await page.context().close();
});
