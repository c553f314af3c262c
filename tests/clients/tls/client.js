// amqplib over TLS: with a password, and with a certificate alone.
'use strict';

const amqplib = require('amqplib');
const assert = require('node:assert/strict');
const { randomBytes, randomUUID } = require('node:crypto');
const { readFileSync } = require('node:fs');

const read = (name) => readFileSync(`${process.env.TLS_DIR}/${name}`);
const BODY = randomBytes(1 << 20);

async function exchangeMessage(login, options) {
  const connection = await amqplib.connect(`amqps://${login}${process.env.AMQPS}/%2F`, options);
  const channel = await connection.createConfirmChannel();
  const queue = `clients.tls.amqplib.${randomUUID()}`;
  await channel.assertQueue(queue, { exclusive: true });
  channel.sendToQueue(queue, BODY);
  await channel.waitForConfirms();
  const message = await channel.get(queue, { noAck: true });
  assert.ok(message.content.equals(BODY), 'the message is another');
  await connection.close();
}

async function main() {
  const ca = [read('ca.pem')];
  const cert = read('guest.pem');
  const key = read('guest.key');
  const credentials = amqplib.credentials.external();
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const options = { ca, minVersion: version, maxVersion: version };
    await exchangeMessage('guest:guest@', options);
    await exchangeMessage('', { ...options, cert, key, credentials });
  }
  await assert.rejects(exchangeMessage('', { ca, credentials }), /ACCESS.REFUSED|closed|ECONNRESET/i);
  await assert.rejects(exchangeMessage('guest:guest@', {}), /certificate/);
  console.log('ok amqplib');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
