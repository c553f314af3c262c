import assert from "node:assert/strict";
import { test } from "node:test";

import { TimedOut } from "leveret";

import { connected, publish } from "./support.js";

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
