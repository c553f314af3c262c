// What a program written with rabbitmq-stream-js-client relies on, end to end.
//
// With arguments: finds one event of each of these clients in the stream that all of them write to.
'use strict';

const amqplib = require('amqplib');
const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const { connect, Offset } = require('rabbitmq-stream-js-client');
const { CompressionType } = require('rabbitmq-stream-js-client/dist/compression');

const NAME = 'stream-js';
const URL = process.env.AMQP_URL || 'amqp://guest:guest@127.0.0.1:5672/';
const [HOST, PORT] = (process.env.LEVERET_STREAM || '127.0.0.1:5552').split(/:(?=\d+$)/);
const EVENTS = process.env.LEVERET_EVENTS || 'clients.events';
const WAIT_MS = 10_000;
const RUN = `clients.${NAME}.${randomUUID()}`;

const open = () => connect({
  hostname: HOST, port: Number(PORT), username: 'guest', password: 'guest', vhost: '/',
});

async function waitUntil(condition, what) {
  for (let tick = 0; tick < WAIT_MS / 10; tick += 1) {
    if (condition()) return;
    await new Promise((done) => { setTimeout(done, 10); });
  }
  throw new Error(`waited ${WAIT_MS} ms for ${what}`);
}

const numbers = (from, to) => Array.from({ length: to - from }, (_, at) => String(from + at));

// Reads a stream until there are `count` messages.
async function read(client, stream, count, options = {}) {
  const got = [];
  const consumer = await client.declareConsumer(
    { stream, offset: Offset.first(), ...options }, (message) => { got.push(message); });
  await waitUntil(() => got.length >= count, `${count} messages of ${stream}`);
  await consumer.close();
  return got;
}

const texts = (messages) => messages.map((message) => message.content.toString());

// A publisher that knows what was confirmed.
async function publisherTo(client, stream, publisherRef, filter) {
  const publisher = await client.declarePublisher({ stream, publisherRef }, filter);
  const confirmed = [];
  publisher.on('publish_confirm', (error, ids) => {
    assert.equal(error, null);
    confirmed.push(...ids);
  });
  const settled = (count) => waitUntil(() => confirmed.length >= count, `${count} confirms`);
  return { publisher, confirmed, settled };
}

async function confirms(client) {
  const stream = `${RUN}.confirms`;
  await client.createStream({ stream, arguments: { 'max-length-bytes': 20_000_000 } });
  const { publisher, settled } = await publisherTo(client, stream);
  for (const number of numbers(0, 1000)) await publisher.send(Buffer.from(number));
  await publisher.flush();
  await settled(1000);
  const got = await read(client, stream, 1000);
  assert.deepEqual(texts(got), numbers(0, 1000));
  assert.deepEqual(got.map((message) => Number(message.offset)), numbers(0, 1000).map(Number));
  const stats = await client.streamStatsRequest(stream);
  assert.equal(Number(stats.firstChunkId), 0);
  await publisher.close();
  await client.deleteStream({ stream });
}

async function deduplication(client) {
  const stream = `${RUN}.deduplication`;
  await client.createStream({ stream });
  const { publisher, settled } = await publisherTo(client, stream, 'me');
  const ids = [...numbers(1, 6), ...numbers(3, 9), ...numbers(1, 9)];
  for (const id of ids) await publisher.basicSend(BigInt(id), Buffer.from(id));
  await publisher.flush();
  await settled(ids.length);
  assert.equal(await publisher.getLastPublishingId(), 8n);
  assert.deepEqual(texts(await read(client, stream, 8)), numbers(1, 9));
  await publisher.close();
  await client.deleteStream({ stream });
}

async function filters(client) {
  const stream = `${RUN}.filters`;
  await client.createStream({ stream });
  const { publisher, settled } = await publisherTo(
    client, stream, undefined, (message) => message.applicationProperties.region);
  let sent = 0;
  for (const region of ['eu', 'us', 'eu']) {
    for (const number of numbers(0, 20)) {
      const body = Buffer.from(`${region} ${number}`);
      await publisher.send(body, { applicationProperties: { region } });
    }
    await publisher.flush();
    sent += 20;
    await settled(sent);
  }
  const filter = {
    values: ['eu'],
    postFilterFunc: (message) => message.applicationProperties.region === 'eu',
    matchUnfiltered: false,
  };
  const expected = numbers(0, 20).map((number) => `eu ${number}`);
  assert.deepEqual(texts(await read(client, stream, 40, { filter })), [...expected, ...expected]);
  await publisher.close();
  await client.deleteStream({ stream });
}

async function compression(client) {
  const stream = `${RUN}.compression`;
  await client.createStream({ stream });
  const { publisher, settled } = await publisherTo(client, stream);
  const kinds = [['none', CompressionType.None], ['gzip', CompressionType.Gzip]];
  for (const [at, [word, kind]] of kinds.entries()) {
    const batch = numbers(0, 100).map((number) => ({ content: Buffer.from(`${word} ${number}`) }));
    await publisher.sendSubEntries(batch, kind);
    await settled(at + 1);
  }
  const expected = kinds.flatMap(([word]) => numbers(0, 100).map((number) => `${word} ${number}`));
  assert.deepEqual(texts(await read(client, stream, 200)), expected);
  await publisher.close();
  await client.deleteStream({ stream });
}

async function offsets(client) {
  const stream = `${RUN}.offsets`;
  await client.createStream({ stream });
  const { publisher, settled } = await publisherTo(client, stream);
  for (const number of numbers(0, 10)) {
    await publisher.send(Buffer.from(number));
    await publisher.flush();
    await settled(Number(number) + 1);
  }
  await assert.rejects(client.queryOffset({ reference: 'me', stream }));
  const consumer = await client.declareConsumer(
    { stream, consumerRef: 'me', offset: Offset.next() }, () => {});
  await consumer.storeOffset(5n);
  assert.equal(await consumer.queryOffset(), 5n);
  await consumer.close();
  const found = await client.queryOffset({ reference: 'me', stream });
  assert.equal(found, 5n);
  const rest = await read(client, stream, 4, { offset: Offset.offset(found + 1n) });
  assert.deepEqual(texts(rest), numbers(6, 10));
  assert.deepEqual(texts(await read(client, stream, 1, { offset: Offset.last() })), ['9']);
  await publisher.close();
  await client.deleteStream({ stream });
}

async function superStreams(client) {
  const streamName = `${RUN}.super`;
  await client.createSuperStream({ streamName }, undefined, 3);
  const got = [];
  const consumer = async (who) => {
    const own = await open();
    await own.declareSuperStreamConsumer(
      { superStream: streamName, consumerRef: 'app', offset: Offset.first() },
      (message) => { got.push([who, message.content.toString()]); });
    return own;
  };
  const first = await consumer('first');
  const second = await consumer('second');
  const publisher = await client.declareSuperStreamPublisher(
    { superStream: streamName }, (_, options) => options.messageProperties.messageId);
  for (const number of numbers(0, 60)) {
    const messageProperties = { messageId: `key${number}` };
    await publisher.send(Buffer.from(number), { messageProperties });
  }
  await waitUntil(() => new Set(got.map(([, text]) => text)).size === 60, '60 messages');
  assert.deepEqual(new Set(got.map(([who]) => who)), new Set(['first', 'second']));
  await first.close();
  await publisher.send(Buffer.from('last'), { messageProperties: { messageId: 'key0' } });
  await waitUntil(() => got.some(([who, text]) => who === 'second' && text === 'last'),
    'the partitions of who has gone');
  await publisher.close();
  await second.close();
  await client.deleteSuperStream({ streamName });
}

async function amqp(client) {
  const stream = `${RUN}.amqp`;
  await client.createStream({ stream });
  const connection = await amqplib.connect(URL);
  const channel = await connection.createConfirmChannel();
  channel.sendToQueue(stream, Buffer.from('from amqplib'), {
    messageId: 'id', contentType: 'text/plain', headers: { n: 100_000, 'x-key': 'kept' },
  });
  await channel.waitForConfirms();
  const [message] = await read(client, stream, 1);
  assert.equal(message.content.toString(), 'from amqplib');
  assert.equal(message.messageProperties.messageId, 'id');
  // Of numbers that are smaller or larger amqplib makes types that the client does not know.
  assert.equal(message.applicationProperties.n, 100_000);
  assert.equal(message.messageAnnotations['x-key'], 'kept');
  assert.equal(message.messageAnnotations['x-routing-key'], stream);
  const { publisher, settled } = await publisherTo(client, stream);
  await publisher.send(Buffer.from('from stream-js'), {
    messageProperties: { messageId: 'other' }, applicationProperties: { n: '6' },
  });
  await publisher.flush();
  await settled(1);
  await channel.prefetch(10);
  const got = [];
  await channel.consume(stream, (delivery) => {
    got.push([delivery.content.toString(), delivery.properties.messageId,
      delivery.properties.headers['x-stream-offset']]);
    channel.ack(delivery);
  }, { arguments: { 'x-stream-offset': 'first' } });
  await waitUntil(() => got.length === 2, 'messages over AMQP');
  assert.deepEqual(got, [['from amqplib', 'id', 0], ['from stream-js', 'other', 1]]);
  await connection.close();
  await publisher.close();
  await client.deleteStream({ stream });
}

async function writeEvent(client) {
  await client.createStream({ stream: EVENTS });
  const { publisher, settled } = await publisherTo(client, EVENTS);
  await publisher.send(Buffer.from(`event of ${NAME}`), {
    messageProperties: { messageId: `id of ${NAME}` }, applicationProperties: { from: NAME },
  });
  await publisher.flush();
  await settled(1);
}

async function readEvents(client, names) {
  const events = new Map();
  await client.declareConsumer({ stream: EVENTS, offset: Offset.first() }, (message) => {
    const { from } = message.applicationProperties;
    events.set(from, [message.content.toString(), message.messageProperties.messageId]);
  });
  await waitUntil(() => names.every((name) => events.has(name)), `events of ${names}`);
  for (const name of names) {
    assert.deepEqual(events.get(name), [`event of ${name}`, `id of ${name}`]);
  }
}

async function main(names) {
  const client = await open();
  if (names.length > 0) {
    await readEvents(client, names);
  } else {
    const tests = [confirms, deduplication, filters, compression, offsets, superStreams, amqp,
      writeEvent];
    for (const test of tests) {
      try {
        await test(client);
      } catch (error) {
        throw new Error(test.name, { cause: error });
      }
    }
  }
  await client.close();
}

main(process.argv.slice(2)).then(
  () => { console.log(`ok ${NAME}`); process.exit(0); },
  (error) => { console.error(error); process.exit(1); });
