import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import amqp from "amqplib";
import { TimedOut } from "leveret";

import { connected, publish, start } from "./support.js";

test("messages are seen where they are", async (t) => {
  const { broker, connection, channel } = await connected(t);
  const message = { routingKey: "q", headers: { n: 1 }, properties: { type: "greeting" } };
  assert.equal(await broker.publish("hello", message), "ack");
  assert.equal(await broker.publish(Buffer.of(255), { mandatory: true }), "returned");
  const [seen] = await broker.peek("q", { max: 1 });
  assert.equal(String(seen.body), "hello");
  assert.deepEqual([seen.headers, seen.properties], [{ n: 1 }, { type: "greeting" }]);
  await channel.get("q");
  const [taken] = await broker.unacked("q");
  assert.deepEqual([String(taken.body), taken.consumer_tag], ["hello", null]);
  assert.equal((await broker.journal.topology().first()).connection, taken.connection);
  assert.deepEqual([taken.connection_name, taken.channel], [null, 1]);
  await assert.rejects(broker.peek("none"), /no queue 'none' in vhost '\/'/);
  await connection.close();
});

test("a queue gives out one message at a time", async (t) => {
  const { broker, connection, channel } = await connected(t);
  const get = async () => String((await channel.get("q", { noAck: true })).content ?? "nothing");
  await broker.hold("q");
  for (const text of ["1", "2"]) await publish(channel, text);
  assert.equal(await get(), "nothing");
  await broker.release("q");
  assert.deepEqual([await get(), await get()], ["1", "nothing"]);
  await broker.endHold("q");
  assert.equal(await get(), "2");
  await connection.close();
});

test("a test decides who gets a message", async (t) => {
  const { broker, connection, channel } = await connected(t);
  const named = { clientProperties: { connection_name: "slow" } };
  const slow = await amqp.connect(broker.amqp, named);
  await broker.hold("q");
  for (const own of [channel, await slow.createChannel()]) {
    await own.consume("q", () => {}, { consumerTag: "c" });
  }
  assert.equal(await broker.publishAll(["1", "2", "3"], { routingKey: "q" }), 3);
  await assert.rejects(broker.release("q", { to: "c" }), /name its connection/);
  await broker.release("q", { to: "c", connection: "slow", channel: 1 });
  const [{ connection: number }] = await broker.unacked("q");
  await broker.release("q", { count: 2, to: "c", connection: number });
  const names = (await broker.unacked("q")).map((message) => message.connection_name);
  assert.deepEqual(names, ["slow", "slow", "slow"]);
  await assert.rejects(broker.release("q", { channel: 1 }), /give its tag/);
  await slow.close();
  await connection.close();
});

test("many messages are published at once", async (t) => {
  const { broker, connection } = await connected(t);
  const messages = [Buffer.of(255), { body: "2", headers: { n: 2 } }, { routingKey: "none" }];
  assert.equal(await broker.publishAll(messages, { routingKey: "q", mandatory: true }), 2);
  const found = await broker.peek("q");
  assert.deepEqual(found.map(({ body }) => body), [Buffer.of(255), Buffer.from("2")]);
  assert.deepEqual(found[1].headers, { n: 2 });
  await broker.faults.confirms().lose();
  await assert.rejects(broker.publishAll(["x"], { seconds: 0.01 }), TimedOut);
  await connection.close();
});

test("what an upgrade would break is refused", async (t) => {
  const broker = await start(t, { denyDeprecated: true });
  const connection = await amqp.connect(broker.amqp);
  const closed = once(connection, "error");
  const channel = await connection.createChannel();
  channel.on("error", () => {});
  await assert.rejects(channel.assertQueue("q", { durable: false }));
  assert.equal((await closed)[0].code, 541);
});

test("a consumer is waited for", async (t) => {
  const { broker, connection, channel } = await connected(t);
  await channel.consume("q", (message) => channel.ack(message));
  await broker.waitForQueue("q", { consumers: 1 });
  for (const text of ["1", "2"]) await publish(channel, text);
  await broker.waitUntilIdle();
  await broker.journal.acked().inQueue("q").assertTexts("1", "2");
  const waiting = broker.waitForQueue("q", { ready: 1 }, { seconds: 0.01 });
  await assert.rejects(waiting, (error) => {
    assert.ok(error instanceof TimedOut);
    assert.match(error.message, /queue 'q' had 0 ready .* within 10ms; what happened last/);
    return true;
  });
  await connection.close();
});

test("a route is explained", async (t) => {
  const { broker, connection, channel } = await connected(t);
  await channel.assertExchange("orders", "topic");
  await channel.bindQueue("q", "orders", "order.created");
  const answer = await broker.explain({ exchange: "orders", routingKey: "order.creatd" });
  assert.equal(answer.unroutable, true);
  assert.match(answer.text, /word 2 of the key is 'creatd', not 'created'/);
  const right = await broker.explain({ exchange: "orders", routingKey: "order.created" });
  assert.deepEqual(right.queues, ["q"]);
  await connection.close();
});

test("a test begins anew", async (t) => {
  const { broker, connection, channel } = await connected(t, { lint: "warn", journal: 5 });
  await channel.assertQueue("other", { arguments: { "x-mesage-ttl": 1 } });
  assert.deepEqual((await broker.lints()).map(({ kind }) => kind), ["unknown_argument"]);
  for (const text of ["1", "2", "3"]) await publish(channel, text);
  assert.equal(await broker.journal.count(), 5);
  await broker.faults.publishes().unroutable();
  await broker.reset();
  assert.equal((await broker.queues()).size, 0);
  assert.deepEqual([await broker.faults.rules(), await broker.journal.all()], [[], []]);
  await channel.assertQueue("q");
  await publish(channel, "x");
  assert.equal((await broker.peek("q")).length, 1);
  await connection.close();
});
