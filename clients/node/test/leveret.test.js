import assert from "node:assert/strict";
import { test } from "node:test";

import amqp from "amqplib";

import { ControlError, startBroker } from "leveret";

import { start } from "./support.js";

test("an hour passes at once", async (t) => {
  const broker = await start(t);
  const connection = await amqp.connect(broker.amqp);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue("codes", { messageTtl: 3_600_000 });
  channel.sendToQueue("codes", Buffer.from("123456"));
  await channel.waitForConfirms();
  await broker.clock.advance({ minutes: 59, seconds: 59 });
  assert.equal((await broker.queues()).get("codes").ready, 1);
  const before = await broker.clock.nowMs();
  await broker.clock.advanceToNextEvent();
  assert.equal((await broker.clock.nowMs()) - before, 1000);
  assert.equal(await channel.get("codes"), false);
  await connection.close();
});

test("publishers are blocked by an alarm", async (t) => {
  const broker = await start(t);
  const connection = await amqp.connect(broker.amqp);
  const blocked = new Promise((resolve) => connection.once("blocked", resolve));
  const channel = await connection.createChannel();
  await broker.alarms({ memory: true });
  channel.publish("", "nowhere", Buffer.from("x"));
  assert.equal(await blocked, "low on memory");
  await broker.alarms({ memory: false });
  await connection.close();
});

test("what cannot be done is explained", async (t) => {
  const broker = await start(t, { manualClock: false });
  await assert.rejects(broker.clock.advance({ ms: 1 }), ControlError);
  await assert.rejects(startBroker({ binary: "/nonexistent/leveret" }));
});
