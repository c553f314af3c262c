// A broker in a process of its own, which ends with this one.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** The broker refuses what it was asked for. */
export class ControlError extends Error {}

/**
 * Starts a broker that keeps everything in memory, on free ports.
 * @param {{ manualClock?: boolean, binary?: string }} [options] With `manualClock`, the default,
 *   its time stands still until it is advanced. `binary` names the program.
 * @returns {Promise<Broker>}
 */
export async function startBroker({ manualClock = true, binary } = {}) {
  const program = binary ?? process.env.LEVERET_BINARY ?? "leveret";
  const args = manualClock ? ["test", "--manual-clock"] : ["test"];
  // It ends when its standard input does: with this process, however that ends.
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const failed = once(child, "error").then(([error]) => Promise.reject(error));
  const ended = once(child, "exit").then(([status]) =>
    Promise.reject(new Error(`${program} ended with status ${status}`)),
  );
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

  constructor(child, { amqp, control }) {
    this.#child = child;
    this.#control = control;
    /** URL for any AMQP 0-9-1 client. */
    this.amqp = amqp;
    /** The broker's time. */
    this.clock = new Clock(this);
  }

  /**
   * The queues by name; those of other virtual hosts than `/` as `vhost/name`.
   * @returns {Promise<Map<string, { vhost: string, name: string, ready: number, unacked: number, consumers: number }>>}
   */
  async queues() {
    const queues = await this.call("GET", "/queues");
    const key = ({ vhost, name }) => (vhost === "/" ? name : `${vhost}/${name}`);
    return new Map(queues.map((queue) => [key(queue), queue]));
  }

  /**
   * Raises or clears alarms: connections that publish are blocked while one is raised.
   * @param {{ memory?: boolean, disk?: boolean }} alarms
   */
  async alarms(alarms) {
    await this.call("PUT", "/alarms", alarms);
  }

  /** Calls the control API. Rejects with a {@link ControlError}. */
  async call(method, path, body) {
    const answer = await fetch(this.#control + path, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) {
      let reason = `${answer.status} ${answer.statusText}: ${text}`;
      try {
        reason = JSON.parse(text).error ?? reason;
      } catch {
        // It is no JSON: the text itself tells more.
      }
      throw new ControlError(reason);
    }
    return text ? JSON.parse(text) : undefined;
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

/** The time of a broker, in the test's hands. */
export class Clock {
  #broker;

  constructor(broker) {
    this.#broker = broker;
  }

  /** Milliseconds since 1970, as the broker sees them. */
  async nowMs() {
    return (await this.#broker.call("GET", "/clock")).now_ms;
  }

  /**
   * Moves time on. When this resolves, what follows has happened in the broker.
   * @param {{ hours?: number, minutes?: number, seconds?: number, ms?: number }} by
   */
  async advance({ hours = 0, minutes = 0, seconds = 0, ms = 0 }) {
    const total = Math.round(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms);
    await this.#broker.call("POST", "/clock/advance", { ms: total });
  }

  /** Moves time on to the next deadline: a message or a queue that expires, a delay. */
  async advanceToNextEvent() {
    await this.#broker.call("POST", "/clock/advance", { to_next_event: true });
  }
}
