// A broker in a process of its own, which ends with this one.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { Clock } from "./clock.js";
import { Control, LIMIT_S, bodyFields, milliseconds, onlyKnown, withBody } from "./control.js";
import { Faults } from "./faults.js";
import { Journal } from "./journal.js";
import { Snapshot } from "./snapshot.js";

/** What to do without the program. */
const HOW_TO_GET_IT =
  "The package @leveret/PLATFORM-ARCH has it, as an optional dependency of this one, for most " +
  "machines; elsewhere `cargo install leveret` builds it, and LEVERET_BINARY can name it.";

/** The program: named by the environment, of the package for this platform, or on the path. */
function findProgram() {
  if (process.env.LEVERET_BINARY) return process.env.LEVERET_BINARY;
  const name = process.platform === "win32" ? "leveret.exe" : "leveret";
  try {
    const find = createRequire(import.meta.url).resolve;
    return find(`@leveret/${process.platform}-${process.arch}/${name}`);
  } catch {
    return "leveret";
  }
}

/**
 * Starts a broker, gives it to `work`, and ends it afterwards. If `work` fails, the message of its
 * error ends with what has happened last.
 */
export async function withBroker(work, options) {
  const broker = await startBroker(options);
  try {
    return await work(broker);
  } catch (error) {
    await addJournal(error, broker);
    throw error;
  } finally {
    await broker.close();
  }
}

/** Events that the message of an error shows. */
const SHOWN = 50;

async function addJournal(error, broker) {
  if (!(error instanceof Error)) return;
  let lines;
  try {
    lines = await broker.journal.lines({ last: SHOWN });
  } catch {
    return; // the journal is off, or the test has ended the broker
  }
  if (!lines.trim()) return;
  const { message, stack } = error;
  error.message = `${message}\n\nleveret journal:\n${lines}\n`;
  // It was made with the message that the error had first.
  if (stack?.includes(message)) error.stack = stack.replace(message, () => error.message);
}

const OPTIONS = [
  "manualClock",
  "journal",
  "lint",
  "denyDeprecated",
  "withoutPlugins",
  "rabbitmqFaults",
  "definitions",
  "binary",
];

/** Starts a broker that keeps everything in memory, on free ports. */
export async function startBroker(options = {}) {
  const {
    manualClock = true,
    journal,
    lint,
    denyDeprecated = false,
    withoutPlugins = false,
    rabbitmqFaults = false,
    definitions,
    binary,
  } = onlyKnown(options, OPTIONS, "the options of a broker");
  const program = binary ?? findProgram();
  const args = ["test"];
  if (manualClock) args.push("--manual-clock");
  if (journal !== undefined) args.push("--journal", String(journal));
  if (lint !== undefined) args.push("--lint", lint);
  if (denyDeprecated) args.push("--deny-deprecated");
  if (withoutPlugins) args.push("--without-plugins");
  if (rabbitmqFaults) args.push("--rabbitmq-faults");
  if (definitions !== undefined) args.push("--definitions", filePath(definitions));
  // It ends when its standard input does: with this process, however that ends.
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const failed = new Promise((_, reject) => {
    child.once("error", ({ message }) =>
      reject(new Error(`${program} cannot be started: ${message}. ${HOW_TO_GET_IT}`)),
    );
  });
  const ended = new Promise((_, reject) => {
    child.once("exit", (status) =>
      reject(new Error(`${program} ended with status ${status}; why is on standard error`)),
    );
  });
  // Either may happen later, when nobody listens any more.
  failed.catch(() => {});
  ended.catch(() => {});
  const line = once(createInterface({ input: child.stdout }), "line");
  const [text] = await Promise.race([line, failed, ended]);
  return new Broker(child, JSON.parse(text));
}

/** A running broker. */
export class Broker {
  #child;
  #control;

  constructor(child, { amqp, control, management, token }) {
    this.#child = child;
    this.#control = new Control(control, token);
    /** URL for any AMQP 0-9-1 client. */
    this.amqp = amqp;
    /** RabbitMQ's HTTP API, and a page for a browser that shows the broker. */
    this.management = management;
    /** The broker's time. */
    this.clock = new Clock(this.#control);
    /** What is to go wrong. */
    this.faults = new Faults(this.#control);
    /** What has happened. */
    this.journal = new Journal(this.#control);
  }

  /** URL of a virtual host, for any AMQP 0-9-1 client. */
  url(vhost = "/") {
    const host = this.amqp.slice(0, this.amqp.lastIndexOf("/"));
    return `${host}/${encodeURIComponent(vhost)}`;
  }

  /** Adds a virtual host in which the default user may do everything; resolves to its URL. */
  async addVirtualHost(name) {
    await this.call("PUT", `/vhosts/${encodeURIComponent(name)}`);
    return this.url(name);
  }

  /**
   * Adds what RabbitMQ's definitions hold, given as an object or as the path of a file: virtual
   * hosts, users, policies, exchanges, queues and bindings. The default user stays as it is, and
   * may do everything in these virtual hosts. Rejects if some cannot be had; the rest is there.
   */
  async importDefinitions(definitions) {
    const isFile = typeof definitions === "string" || definitions instanceof URL;
    const read = isFile ? JSON.parse(await readFile(definitions, "utf8")) : definitions;
    await this.call("POST", "/definitions", read);
  }

  /** The queues by name; those of other virtual hosts than `/` as `vhost/name`. */
  async queues() {
    const queues = await this.call("GET", "/queues");
    const key = ({ vhost, name }) => (vhost === "/" ? name : `${vhost}/${name}`);
    return new Map(queues.map((queue) => [key(queue), queue]));
  }

  /** The first messages that are ready, which stay where they are. */
  async peek(queue, { max = 100, vhost } = {}) {
    return (await this.call("GET", `${path(queue, vhost)}/messages?max=${max}`)).map(withBody);
  }

  /** The deliveries that were not acknowledged yet, oldest first, and who has them. */
  async unacked(queue, { vhost } = {}) {
    return (await this.call("GET", `${path(queue, vhost)}/unacked`)).map(withBody);
  }

  /** The queue takes publishes and gives nothing out but what `release` lets go. */
  async hold(queue, { vhost } = {}) {
    await this.call("PUT", `${path(queue, vhost)}/held`, { held: true });
  }

  /**
   * Lets the next messages of a queue that is held go out; after them it is held again. They go to
   * whoever is next, or `to` the consumer with this tag; if several have the same, name its
   * `connection` (by what the client calls it, or by number) and `channel`.
   */
  async release(queue, { count = 1, vhost, to, connection, channel } = {}) {
    const call = `${path(queue, vhost)}/release`;
    if (to === undefined) {
      if (connection !== undefined || channel !== undefined) {
        throw new TypeError("connection and channel are of a consumer: give its tag as to");
      }
      await this.call("POST", call, { count });
      return;
    }
    const kind = typeof connection === "string" ? "connection_name" : "connection";
    const recipient = { consumer_tag: to, [kind]: connection, channel };
    for (let left = count; left > 0; left--) await this.call("POST", call, { to: recipient });
  }

  /** The queue is not held any more. */
  async endHold(queue, { vhost } = {}) {
    await this.call("PUT", `${path(queue, vhost)}/held`, { held: false });
  }

  /**
   * Publishes a message and waits for the confirm: `ack`, `nack` or `returned`. Rejects for a
   * message that no queue gets, unless `mandatory` is given: with `true` it is `returned`, with
   * `false` it is acked and gone.
   */
  async publish(body, { seconds = LIMIT_S, ...rest } = {}) {
    const message = { ...messageFields({ body, ...rest }), limit_ms: milliseconds({ seconds }) };
    return (await this.call("POST", "/publish", message)).confirmed;
  }

  /**
   * Publishes messages in order, with one wait for the confirms of all; resolves to how many are
   * acked and were not returned. A message is a body, or an object with `body` and what is not as
   * of the others.
   */
  async publishAll(messages, { vhost, seconds = LIMIT_S, ...common } = {}) {
    const isBody = (message) => typeof message === "string" || message instanceof Uint8Array;
    const fields = (message) => ({ ...common, ...(isBody(message) ? { body: message } : message) });
    const request = {
      messages: Array.from(messages, (message) => messageFields(fields(message))),
      vhost,
      limit_ms: milliseconds({ seconds }),
    };
    return (await this.call("POST", "/publish/all", request)).acked;
  }

  /** Where a message would go, and why. Nothing is published. */
  async explain(message = {}) {
    const known = ["exchange", "routingKey", "headers", "vhost"];
    const { exchange, routingKey, headers, vhost } = onlyKnown(message, known, "a question");
    const question = { exchange, routing_key: routingKey, headers, vhost };
    const answer = await this.call("POST", "/explain", question);
    return { ...answer, queues: answer.queues.map(({ queue }) => queue) };
  }

  /** Raises or clears alarms: connections that publish are blocked while one is raised. */
  async alarms(alarms) {
    await this.call("PUT", "/alarms", alarms);
  }

  /** What was found that is allowed but seldom meant, if the broker looks for it. */
  async lints() {
    return this.call("GET", "/lints");
  }

  /**
   * Waits until no delivery is unacknowledged, and no queue that has consumers has ready messages.
   * Rejects with `TimedOut`.
   */
  async waitUntilIdle(limit) {
    await this.#control.wait("idle", limit);
  }

  /** Waits until a queue has these counts. Rejects with `TimedOut`. */
  async waitForQueue(name, counts, limit) {
    await this.#control.wait({ queue: { name, ...counts } }, limit);
  }

  /** Waits until so many connections are open. Rejects with `TimedOut`. */
  async waitForConnections(count, limit) {
    await this.#control.wait({ connections: count }, limit);
  }

  /**
   * The broker crashes: all connections are lost, and whoever connects is refused. What was not
   * confirmed, or is not durable, may be lost. `start` brings the rest back.
   */
  async crash() {
    await this.call("POST", "/broker/crash");
  }

  /** The broker is stopped in order: all connections are closed. */
  async stop() {
    await this.call("POST", "/broker/stop");
  }

  /** After a crash or a stop: a broker at the same address, with what was durable. */
  async start() {
    await this.call("POST", "/broker/start");
  }

  /** The broker as it is, to be restored later. */
  async snapshot() {
    return new Snapshot(this.#control, await this.call("POST", "/snapshots"));
  }

  /**
   * Deletes queues with their messages, exchanges and bindings, events, faults and alarms.
   * Connections and the time stay.
   */
  async reset() {
    await this.call("POST", "/reset");
  }

  /** Calls the control API. Rejects with a `ControlError`. */
  async call(method, path, body) {
    return this.#control.call(method, path, body);
  }

  /** Ends the broker. */
  async close() {
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.stdin.end();
      await ended;
    }
  }
}

/** A message as the control API takes it. */
function messageFields({ body = "", routingKey, ...rest }) {
  return { ...bodyFields(body), routing_key: routingKey, ...rest };
}

/** A path, or the URL of a file, as an argument of a program. */
function filePath(file) {
  return file instanceof URL ? fileURLToPath(file) : file;
}

function path(queue, vhost = "/") {
  return `/queues/${encodeURIComponent(vhost)}/${encodeURIComponent(queue)}`;
}
