// What a program written with amqplib relies on, end to end.
'use strict';

const amqplib = require('amqplib');
const assert = require('node:assert/strict');
const { createHash, randomBytes, randomUUID } = require('node:crypto');

const URL = process.env.AMQP_URL || 'amqp://guest:guest@127.0.0.1:5672/';
const WAIT_MS = 10_000;
const RUN = `clients.amqplib.${randomUUID()}`;
const EXCHANGE = `${RUN}.exchange`;
const QUEUE = `${RUN}.queue`;
const REPLY_TO = 'amq.rabbitmq.reply-to';

// The promise's value; fails when it takes more than WAIT_MS.
function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${WAIT_MS} ms for ${what}`)), WAIT_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A consumer whose deliveries wait in `waiting` until `next` takes them.
async function consume(channel, queue, options) {
  const waiting = [];
  let wake = null;
  const { consumerTag } = await channel.consume(queue, (message) => {
    waiting.push(message);
    if (wake) wake();
  }, options);
  const next = async (what) => {
    if (waiting.length === 0) await within(new Promise((done) => { wake = done; }), what);
    const message = waiting.shift();
    assert.ok(message, `the consumer was cancelled while waiting for ${what}`);
    return message;
  };
  return { waiting, next, cancel: () => channel.cancel(consumerTag) };
}

function publish(channel, exchange, key, body, options) {
  return within(new Promise((done, failed) => {
    channel.publish(exchange, key, body, options, (error) => (error ? failed(error) : done()));
  }), `the confirm of ${key}`);
}

async function publishAndReturn(channel) {
  const returned = [];
  channel.on('return', (message) => returned.push(message));
  await publish(channel, EXCHANGE, 'key', Buffer.from('routed'), { mandatory: true });
  assert.equal(returned.length, 0, 'a routed message was returned');
  await publish(channel, EXCHANGE, 'nowhere', Buffer.from('lost'), { mandatory: true });
  assert.equal(returned.length, 1, 'no basic.return before the confirm');
  assert.equal(returned[0].fields.replyCode, 312);
  assert.equal(returned[0].fields.replyText, 'NO_ROUTE');
  assert.equal(returned[0].content.toString(), 'lost');
  const got = await channel.get(QUEUE, { noAck: true });
  assert.equal(got.content.toString(), 'routed');
  assert.equal(await channel.get(QUEUE), false, 'the queue should be empty');
}

async function prefetch(channel) {
  for (let n = 0; n < 10; n++) await publish(channel, EXCHANGE, 'key', Buffer.from(String(n)));
  await channel.prefetch(3);
  const consumer = await consume(channel, QUEUE);
  const seen = [];
  for (const first of [0, 3, 6]) {
    for (let n = 0; n < 3; n++) seen.push(await consumer.next(`delivery ${seen.length + 1}`));
    // A round trip behind all earlier deliveries.
    const { messageCount } = await channel.checkQueue(QUEUE);
    assert.equal(messageCount, 7 - first, 'ready messages');
    assert.equal(consumer.waiting.length, 0, 'more than 3 unacked with a prefetch of 3');
    channel.ack(seen.at(-1), true);
  }
  seen.push(await consumer.next('the last delivery'));
  assert.equal(seen.map((message) => message.content).join(''), '0123456789', 'out of order');
  channel.ack(seen.at(-1));
  await consumer.cancel();
}

async function requeue(channel) {
  const consumer = await consume(channel, QUEUE);
  await publish(channel, EXCHANGE, 'key', Buffer.from('again'));
  const first = await consumer.next('the first delivery');
  assert.equal(first.fields.redelivered, false, 'the first delivery is marked redelivered');
  channel.nack(first, false, true);
  const second = await consumer.next('the second delivery');
  assert.equal(second.fields.redelivered, true, 'the second is not marked redelivered');
  channel.ack(second);
  await consumer.cancel();
}

async function rpc(connection, channel) {
  const server = await connection.createChannel();
  const { queue } = await server.assertQueue(`${RUN}.rpc`, { exclusive: true });
  const requests = await consume(server, queue);
  const replies = await consume(channel, REPLY_TO, { noAck: true });
  await publish(channel, '', queue, Buffer.from('question'), {
    replyTo: REPLY_TO, correlationId: 'call-1', mandatory: true,
  });
  const request = await requests.next('the request');
  const { replyTo, correlationId } = request.properties;
  assert.ok(replyTo.startsWith(`${REPLY_TO}.`), `reply address ${replyTo}`);
  server.sendToQueue(replyTo, Buffer.from('QUESTION'), { correlationId });
  server.ack(request);
  const reply = await replies.next('the reply');
  assert.equal(reply.properties.correlationId, 'call-1');
  assert.equal(reply.content.toString(), 'QUESTION');
  await replies.cancel();
  await requests.cancel();
  await server.deleteQueue(queue);
  await server.close();
}

async function largeBody(channel) {
  const sent = randomBytes(1 << 20);
  await publish(channel, EXCHANGE, 'key', sent, { persistent: true, headers: { attempt: 7 } });
  const got = await channel.get(QUEUE);
  assert.ok(got, 'the 1 MiB message is not in the queue');
  const hash = (body) => createHash('sha256').update(body).digest('hex');
  assert.equal(hash(got.content), hash(sent), 'the body changed');
  assert.equal(got.properties.deliveryMode, 2);
  assert.deepEqual(got.properties.headers, { attempt: 7 });
  channel.ack(got);
}

async function cleanUp(connection, channel) {
  await channel.unbindQueue(QUEUE, EXCHANGE, 'key');
  const { messageCount } = await channel.deleteQueue(QUEUE);
  assert.equal(messageCount, 0, 'messages were left over');
  await channel.deleteExchange(EXCHANGE);
  const other = await connection.createChannel();
  other.on('error', () => {}); // The rejection below carries the same error.
  await assert.rejects(other.checkQueue(QUEUE), /404/, 'the deleted queue still exists');
  await channel.close();
  await connection.close();
}

async function main() {
  const connection = await amqplib.connect(URL, { timeout: WAIT_MS });
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange(EXCHANGE, 'direct', { durable: false });
  await channel.assertQueue(QUEUE, { durable: false });
  await channel.bindQueue(QUEUE, EXCHANGE, 'key');
  await publishAndReturn(channel);
  await prefetch(channel);
  await requeue(channel);
  await rpc(connection, channel);
  await largeBody(channel);
  await cleanUp(connection, channel);
  console.log('ok amqplib');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
