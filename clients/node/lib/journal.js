// What has happened in a broker, in order, for tests to ask about.

import { AssertionError } from "node:assert";

import { bodyFields, withBody } from "./control.js";

/** Events that meet all conditions, as they are at the time of the question. */
export class Events {
  #control;
  #where;

  constructor(control, where = {}) {
    this.#control = control;
    this.#where = where;
  }

  #with(conditions) {
    for (const name of Object.keys(conditions)) {
      if (name in this.#where) throw new TypeError(`${name} is ${this.#where[name]} already`);
    }
    return new Events(this.#control, { ...this.#where, ...conditions });
  }

  // Kinds of events.
  published = () => this.#with({ kind: "published" });
  routed = () => this.#with({ kind: "routed" });
  unroutable = () => this.#with({ kind: "unroutable" });
  returned = () => this.#with({ kind: "returned" });
  confirmed = () => this.#with({ kind: "confirmed" });
  nacked = () => this.#with({ kind: "nacked" });
  enqueued = () => this.#with({ kind: "enqueued" });
  delivered = () => this.#with({ kind: "delivered" });
  got = () => this.#with({ kind: "got" });
  acked = () => this.#with({ kind: "acked" });
  requeued = () => this.#with({ kind: "requeued" });
  rejected = () => this.#with({ kind: "rejected" });
  expired = () => this.#with({ kind: "expired" });
  deadLettered = () => this.#with({ kind: "dead_lettered" });
  dropped = () => this.#with({ kind: "dropped" });
  topology = () => this.#with({ kind: "topology" });

  // Conditions.
  to = (exchange) => this.#with({ exchange });
  withKey = (routingKey) => this.#with({ routing_key: routingKey });
  withKeyLike = (pattern) => this.#with({ routing_key_like: pattern });
  withBody = (body) => this.#with(bodyFields(body));
  withBodyContaining = (part) => this.#with({ body_contains: part });
  withHeader = (name, value) =>
    new Events(this.#control, {
      ...this.#where,
      headers: { ...this.#where.headers, [name]: value },
    });
  withCorrelationId = (id) => this.#with({ correlation_id: id });
  inQueue = (queue) => this.#with({ queue });
  toQueue = (queue) => this.#with({ to_queue: queue });
  ofConsumer = (consumerTag) => this.#with({ consumer_tag: consumerTag });
  byUser = (user) => this.#with({ user });
  inVirtualHost = (name) => this.#with({ vhost: name });
  because = (reason) => this.#with({ because: reason });
  droppedBecause = (reason) => this.#with({ dropped_because: reason });
  redelivered = () => this.#with({ redelivered: true });
  after = (event) => this.#with({ after: event.number });
  ofMessage = (event) => {
    if (event.message === null) throw new TypeError("the event is about no message");
    return this.#with({ message: event.message });
  };

  /** The events, oldest first; of many, the `last` so many. */
  async all({ last } = {}) {
    const where = last === undefined ? this.#where : { ...this.#where, last };
    const parameters = Object.entries(where).map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]);
    const events = await this.#control.call("GET", `/journal?${new URLSearchParams(parameters)}`);
    return events.map(withBody);
  }

  async count() {
    return (await this.all()).length;
  }

  /** The oldest. */
  async first() {
    return (await this.all()).at(0);
  }

  /** The newest. */
  async last() {
    return (await this.all({ last: 1 })).at(0);
  }

  /** The bodies as texts, in order. */
  async texts() {
    return (await this.all()).map((event) => String(event.body ?? ""));
  }

  /** What happened, one line for each event; of many, the `last` so many. */
  async lines(options) {
    return (await this.all(options)).map((event) => event.line).join("\n");
  }

  /** Waits until there are so many. Rejects with `TimedOut`. */
  async waitFor(count = 1, limit) {
    await this.#control.wait({ events: { where: this.#where, count } }, limit);
  }

  // Assertions, which tell what did happen when they fail.

  async #check(expected) {
    const check = { events: this.#where, ...expected };
    const { holds, text } = await this.#control.call("POST", "/journal/check", check);
    if (!holds) throw new AssertionError({ message: text });
  }

  async assertCount(count) {
    await this.#check({ count });
  }

  async assertNone() {
    await this.#check({ count: 0 });
  }

  /** Asserts that there is at least one; resolves to the oldest. */
  async assertSome() {
    await this.#check({ some: true });
    return this.first();
  }

  /** Asserts that there is exactly one; resolves to it. */
  async assertOne() {
    await this.#check({ count: 1 });
    return this.first();
  }

  /** Asserts that the bodies are these texts, in this order. */
  async assertTexts(...texts) {
    await this.#check({ texts });
  }

  /** Asserts that all of these happened before the first of those, and that there are both. */
  async assertBefore(later) {
    await this.#check({ before: later.#where });
  }
}

/** All events of a broker: the last 100,000 unless it was started with another number. */
export class Journal extends Events {
  #control;

  constructor(control) {
    super(control);
    this.#control = control;
  }

  /** Forgets all events, for a test that begins where another part ended. */
  async clear() {
    await this.#control.call("DELETE", "/journal");
  }

  /** Asserts that a message was published so; resolves to the event of the first one. */
  async assertPublished(exchange, routingKey) {
    return this.published().to(exchange).withKey(routingKey).assertSome();
  }

  /** Asserts that no message was lost: none was unroutable, and none was dropped. */
  async assertNothingLost() {
    await this.dropped().assertNone();
    await this.unroutable().assertNone();
  }
}
