import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { ControlError } from "leveret";

import { connected, publish, start } from "./support.js";

const texts = (messages) => messages.map((message) => String(message.body));

test("a declaration is refused once", async (t) => {
  const { broker, connection, channel } = await connected(t);
  const rule = await broker.faults.on("queue.declare").forQueue("jobs").nth(1).refuse(406, "no");
  assert.match(rule.text, /^on queue.declare for queue 'jobs'/);
  await assert.rejects(channel.assertQueue("jobs"), /406 \(PRECONDITION-FAILED\).*no/);
  const another = await connection.createChannel();
  await another.assertQueue("jobs");
  assert.deepEqual([await rule.seen(), await rule.fired()], [2, 1]);
  await broker.faults.assertAllFired();
  await rule.remove();
  assert.equal(await rule.fired(), 1);
  assert.deepEqual(await broker.faults.rules(), []);
  await connection.close();
});

test("the connection is lost at the third publish", async (t) => {
  const { broker, connection, channel } = await connected(t);
  await broker.faults.publishes().nth(3).dropConnection();
  const lost = new Promise((resolve) => connection.once("close", resolve));
  await publish(channel, "1");
  await publish(channel, "2");
  channel.sendToQueue("q", Buffer.from("3"), {}, () => {});
  await lost;
  assert.deepEqual(texts(await broker.peek("q")), ["1", "2"]);
});

test("confirms are nacked or late", async (t) => {
  const { broker, connection, channel } = await connected(t);
  await broker.faults.confirms().withHeader("attempt", 1).nack();
  await assert.rejects(publish(channel, "x", { headers: { attempt: 1 } }), /nacked/);
  await publish(channel, "x", { headers: { attempt: 2 } });
  const held = await broker.faults.confirms().withProperty("message_id", "7").hold();
  let confirmed = false;
  const late = publish(channel, "late", { messageId: "7" }).then(() => (confirmed = true));
  await broker.journal.enqueued().withBody("late").waitFor();
  while ((await held.fired()) === 0);
  assert.equal(confirmed, false);
  assert.equal(await held.release(), 1);
  await late;
  await connection.close();
});

test("a delivery comes twice, another late", async (t) => {
  const { broker, connection, channel } = await connected(t);
  await broker.faults.deliveries().withBody("double").twice();
  await broker.faults.deliveries().withBodyContaining("late").delay({ minutes: 5 });
  const seen = [];
  const all = new Promise((resolve) => {
    channel.consume("q", (message) => {
      seen.push([String(message.content), message.fields.redelivered]);
      channel.ack(message);
      if (seen.length === 3) resolve();
    });
  });
  await publish(channel, "late");
  await publish(channel, "double");
  await broker.journal.acked().waitFor(1);
  await broker.clock.advance({ minutes: 5 });
  await all;
  assert.deepEqual(seen, [
    ["double", false],
    ["double", true],
    ["late", false],
  ]);
  await connection.close();
});

test("all connections are closed", async (t) => {
  const { broker, connection } = await connected(t);
  const ended = once(connection, "close");
  assert.equal(await broker.faults.closeConnections(320, "maintenance"), 1);
  const [error] = await ended;
  assert.match(String(error), /320 \(CONNECTION-FORCED\).*maintenance/);
  await broker.waitForConnections(0);
});

test("a fault that never happened fails the test", async (t) => {
  const broker = await start(t);
  await broker.faults.publishes().forExchange("orders").unroutable();
  await assert.rejects(broker.faults.assertAllFired(), {
    name: "AssertionError",
    message: /^1 of the faults never happened:\n  publishes for exchange 'orders': find no queue$/,
  });
});

test("what an occasion does not offer is refused", async (t) => {
  const broker = await start(t);
  await assert.rejects(
    broker.faults.confirms().corrupt(),
    new ControlError("then: confirms do not offer corrupt, but nack, nack_and_drop, hold, lose"),
  );
});
