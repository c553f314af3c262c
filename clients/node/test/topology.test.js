import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import amqp from "amqplib";
import { startBroker } from "leveret";

import { start } from "./support.js";

const host = { vhost: "my shop" };
const definitions = {
  vhosts: [{ name: "my shop" }],
  exchanges: [{ ...host, name: "orders", type: "topic" }],
  queues: [{ ...host, name: "billing", durable: true }],
  bindings: [{ ...host, source: "orders", destination: "billing", routing_key: "order.*" }],
};

async function declare(url, queue) {
  const connection = await amqp.connect(url);
  await (await connection.createChannel()).assertQueue(queue);
  await connection.close();
}

/** The path of a file with the definitions, which is gone after the test. */
async function definitionsFile(t) {
  const folder = await mkdtemp(join(tmpdir(), "leveret-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "definitions.json");
  await writeFile(file, JSON.stringify(definitions));
  return file;
}

test("a virtual host is added", async (t) => {
  const broker = await start(t);
  assert.equal(broker.url(), broker.amqp);
  const url = await broker.addVirtualHost("a/b");
  assert.equal(url, broker.url("a/b"));
  await declare(url, "q");
  const options = { routingKey: "q", vhost: "a/b" };
  assert.equal(await broker.publish("1", options), "ack");
  assert.equal(await broker.publishAll(["2"], options), 1);
  assert.equal((await broker.peek("q", { vhost: "a/b" })).length, 2);
});

test("the topology of production is imported", async (t) => {
  const broker = await start(t);
  const file = await definitionsFile(t);
  for (const from of [definitions, file, pathToFileURL(file)]) {
    await broker.importDefinitions(from);
  }
  await declare(broker.url("my shop"), "of the test");
  const route = { exchange: "orders", routingKey: "order.created", vhost: "my shop" };
  assert.deepEqual((await broker.explain(route)).queues, ["billing"]);
  const unknown = broker.importDefinitions({ queues: [{ name: "q", vhost: "v" }] });
  await assert.rejects(unknown, /queue 'q': there is no virtual host 'v'/);
});

test("a broker starts with definitions", async (t) => {
  const file = await definitionsFile(t);
  for (const from of [file, pathToFileURL(file)]) {
    const broker = await start(t, { definitions: from });
    assert.deepEqual([...(await broker.queues()).keys()], ["my shop/billing"]);
  }
  const failed = startBroker({ definitions: `${file}.none` });
  await assert.rejects(failed, /ended with status 1/);
});
