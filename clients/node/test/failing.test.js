import assert from "node:assert/strict";
import { test } from "node:test";

import { startBroker, withBroker } from "leveret";

import { connected, publish } from "./support.js";

test("what fails with a broker tells what has happened there", async () => {
  const failing = withBroker(async (broker) => {
    await broker.publish("x", { routingKey: "nowhere", mandatory: false });
    assert.equal(1, 2, "they differ");
  });
  await assert.rejects(failing, (error) => {
    assert.match(error.message, /^they differ[^]*\n\nleveret journal:\n[^]*published to the default/);
    assert.match(error.stack, /leveret journal:/);
    return true;
  });
  assert.equal(await withBroker(async (broker) => (await broker.queues()).size), 0);
});

test("what would pass in vain does not", async (t) => {
  const { broker, connection } = await connected(t);
  const nowhere = { routingKey: "nowhere" };
  await assert.rejects(broker.publish("x", nowhere), /no queue got the message to the default/);
  await assert.rejects(broker.publishAll(["x"], nowhere), /with key 'nowhere'/);
  await assert.rejects(broker.faults.assertAllFired(), /no fault was declared/);
  await assert.rejects(broker.waitUntilIdle({ seconds: 0.01 }), /no consumer came/);
  await assert.rejects(broker.clock.advance({ hour: 1 }), /no 'hour' in a duration: .*hours/);
  await assert.rejects(broker.clock.advance(3600), /3600 is no duration: .*{ hours: 1 }/);
  await assert.rejects(broker.clock.advance({ hours: -1 }), /not negative, not -3600000 ms/);
  await assert.rejects(startBroker({ manualclock: false }), /no 'manualclock' in the options/);
  await assert.rejects(broker.explain({ routingkey: "q" }), /no 'routingkey' in a question/);
  await connection.close();
  await broker.close();
  await assert.rejects(broker.queues(), /does not answer: .*an await too few/);
});

test("headers are there, if empty", async (t) => {
  const { broker, connection, channel } = await connected(t);
  await publish(channel, "x");
  const [message] = await broker.peek("q");
  assert.deepEqual([message.headers, message.properties], [{}, {}]);
  assert.deepEqual((await broker.journal.published().assertOne()).headers, {});
  await connection.close();
});

test("a program that is not there says how to get it", async () => {
  const starting = startBroker({ binary: "/nonexistent/leveret" });
  await assert.rejects(starting, /cannot be started: .*ENOENT.*cargo install leveret/);
  await assert.rejects(startBroker({ lint: "wrn" }), /status 2; why is on standard error/);
});
