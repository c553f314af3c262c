import assert from "node:assert/strict";
import { test } from "node:test";

import { TimedOut } from "leveret";

import { connected, publish } from "./support.js";

test("a program is asserted by its events", async (t) => {
  const { broker, connection, channel } = await connected(t);
  await publish(channel, "reserve", { correlationId: "c", headers: { n: 1 } });
  await publish(channel, "pay");
  const { journal } = broker;
  await journal.published().to("").withKeyLike("*").assertCount(2);
  await journal.published().withKey("q").assertTexts("reserve", "pay");
  const event = await journal.withHeader("n", 1).withCorrelationId("c").published().assertOne();
  assert.equal(String(event.body), "reserve");
  assert.deepEqual(event.properties, { correlation_id: "c" });
  const way = await journal.ofMessage(event).all();
  assert.deepEqual(way.slice(0, 3).map(({ kind }) => kind), ["published", "routed", "enqueued"]);
  const [first, second] = ["reserve", "pay"].map((text) => journal.published().withBody(text));
  await first.assertBefore(second);
  await assert.rejects(second.assertBefore(first), /expected all events that are published/);
  await journal.delivered().inQueue("q").assertNone();
  await journal.assertPublished("", "q");
  await journal.assertNothingLost();
  await connection.close();
});

test("an assertion that fails tells what did happen", async (t) => {
  const { broker, connection, channel } = await connected(t);
  await publish(channel, "hello");
  await assert.rejects(broker.journal.published().withKey("Q").assertCount(1), {
    name: "AssertionError",
    message: /^expected of the events that are published with key 'Q': 1 .* not 0\n[^]*"hello"/,
  });
  assert.match(await broker.journal.lines(), /published to the default exchange with key 'q'/);
  await broker.journal.clear();
  assert.equal(await broker.journal.count(), 0);
  await connection.close();
});

test("a dead letter says why", async (t) => {
  const { broker, connection, channel } = await connected(t);
  const dead = { deadLetterExchange: "", deadLetterRoutingKey: "q" };
  await channel.assertQueue("jobs", { ...dead, messageTtl: 1000 });
  channel.sendToQueue("jobs", Buffer.from([255]));
  await channel.waitForConfirms();
  await broker.clock.advance({ seconds: 1 });
  const letter = await broker.journal.deadLettered().inQueue("jobs").because("expired").assertOne();
  assert.deepEqual([letter.to, letter.body], [["q"], Buffer.from([255])]);
  const waiting = broker.journal.acked().waitFor(1, { seconds: 0.01 });
  await assert.rejects(waiting, (error) => error instanceof TimedOut);
  assert.throws(() => broker.journal.inQueue("a").inQueue("b"), /queue is a already/);
  await connection.close();
});
