import assert from "node:assert/strict";
import { test } from "node:test";

import { ControlError } from "leveret";

import { connected, publish } from "./support.js";

test("what was confirmed is there after a crash", async (t) => {
  const { broker, connection, channel } = await connected(t);
  await channel.assertQueue("jobs", { durable: true });
  const persistent = { routingKey: "jobs", properties: { delivery_mode: 2 } };
  assert.equal(await broker.publish("durable", persistent), "ack");
  await broker.publish("transient", { routingKey: "jobs" });
  const lost = new Promise((resolve) => connection.once("close", resolve));
  connection.on("error", () => {});
  await broker.crash();
  await lost;
  await assert.rejects(broker.publish("x", { routingKey: "jobs" }), ControlError);
  await broker.start();
  const left = await broker.peek("jobs");
  assert.deepEqual(left.map((m) => [String(m.body), m.redelivered]), [["durable", true]]);
  await assert.rejects(broker.start(), /is running/);
});

test("a broker becomes what it was", async (t) => {
  const { broker, connection, channel } = await connected(t);
  await publish(channel, "a");
  const snapshot = await broker.snapshot();
  assert.equal(snapshot.messages, 1);
  await channel.purgeQueue("q");
  await channel.assertQueue("other");
  await snapshot.restore();
  assert.deepEqual([...(await broker.queues()).keys()], ["q"]);
  assert.deepEqual((await broker.peek("q")).map((m) => String(m.body)), ["a"]);
  await snapshot.forget();
  await assert.rejects(snapshot.restore(), /there is no snapshot/);
  await connection.close();
});
