// Faults: what goes wrong rarely in production goes wrong in a test when the test says so.

import { AssertionError } from "node:assert";

import { bodyFields, milliseconds } from "./control.js";

/** A fault that was declared. It is in force until it is removed. */
export class Rule {
  #control;
  #known;
  #removed = false;

  constructor(control, known) {
    this.#control = control;
    this.#known = known;
    /** What it does, in words. */
    this.text = known.text;
  }

  get #path() {
    return `/faults/${this.#known.id}`;
  }

  async #look() {
    if (!this.#removed) this.#known = await this.#control.call("GET", this.#path);
    return this.#known;
  }

  /** How often it acted. */
  async fired() {
    return (await this.#look()).fired;
  }

  /** How many occasions passed its filters, whether it acted on them or not. */
  async seen() {
    return (await this.#look()).seen;
  }

  /** What it holds back goes on: confirms, clients that are not read. Tells how many. */
  async release() {
    return (await this.#control.call("POST", `${this.#path}/release`)).released;
  }

  /** Takes it back: it does not act any more, and what it holds back goes on. */
  async remove() {
    if (this.#removed) return;
    this.#known = await this.#control.call("DELETE", this.#path);
    this.#removed = true;
  }
}

/**
 * A rule that has no action yet. Its last call says what happens, and puts it in force. The types
 * say what each occasion offers; the broker refuses the rest.
 */
export class When {
  #control;
  #rule;

  constructor(control, rule) {
    this.#control = control;
    this.#rule = rule;
  }

  #with(fields) {
    return new When(this.#control, { ...this.#rule, ...fields });
  }

  async #then(fault) {
    const rule = { ...this.#rule, then: fault };
    return new Rule(this.#control, await this.#control.call("POST", "/faults", rule));
  }

  onConnection = (name) => this.#with({ connection: name });
  onVirtualHost = (name) => this.#with({ vhost: name });
  onChannel = (number) => this.#with({ channel: number });
  forQueue = (name) => this.#with({ queue: name });
  forExchange = (name) => this.#with({ exchange: name });
  forRoutingKey = (key) => this.#with({ routing_key: key });
  withBody = (body) => this.#with(bodyFields(body));
  withBodyContaining = (part) => this.#with({ body_contains: part });
  withHeader = (name, value) => this.#with({ headers: { ...this.#rule.headers, [name]: value } });
  withProperty = (name, value) =>
    this.#with({ properties: { ...this.#rule.properties, [name]: value } });

  nth = (n) => this.#with({ nth: n });
  times = (times) => this.#with({ times });
  after = (occasions) => this.#with({ after: occasions });
  afterwards = () => this.#with({ afterwards: true });

  dropConnection = () => this.#then("drop_connection");
  crash = () => this.#then("crash");
  closeChannel = (code, text) => this.#then({ close_channel: { code, text } });
  closeConnection = (code, text) => this.#then({ close_connection: { code, text } });
  refuse = (code, text) => this.#then({ refuse: { code, text } });
  stopReading = () => this.#then("stop_reading");
  unroutable = () => this.#then("unroutable");
  nack = () => this.#then("nack");
  nackAndDrop = () => this.#then("nack_and_drop");
  hold = () => this.#then("hold");
  lose = () => this.#then("lose");
  twice = () => this.#then("twice");
  delay = (by) => this.#then({ delay: { ms: milliseconds(by) } });
  toTheEnd = () => this.#then("to_the_end");
  corrupt = () => this.#then("corrupt");
  truncate = () => this.#then("truncate");
}

/** The faults of a broker. */
export class Faults {
  #control;

  constructor(control) {
    this.#control = control;
  }

  /** A rule for a method that clients call, such as `queue.declare`, or `any method`. */
  on = (method) => new When(this.#control, { on: method });
  publishes = () => this.on("publishes");
  confirms = () => this.on("confirms");
  deliveries = () => this.on("deliveries");
  requeues = () => this.on("requeues");
  frames = () => this.on("frames");

  /** Every connection is lost now. Tells how many. */
  async dropConnections() {
    return (await this.#control.call("POST", "/connections/drop")).connections;
  }

  /** Every connection is closed now. Tells how many. */
  async closeConnections(code, text) {
    return (await this.#control.call("POST", "/connections/close", { code, text })).connections;
  }

  /** All rules in force. */
  async rules() {
    const rules = await this.#control.call("GET", "/faults");
    return rules.map((known) => new Rule(this.#control, known));
  }

  /** Removes all rules; what they hold back goes on. */
  async clear() {
    await this.#control.call("DELETE", "/faults");
  }

  /** Fails the test if there is a rule in force that never acted. */
  async assertAllFired() {
    const rules = await this.#control.call("GET", "/faults");
    if (rules.length === 0) {
      const message =
        "no fault was declared, or all were removed: there is none that could happen";
      throw new AssertionError({ message });
    }
    const idle = rules.filter((rule) => rule.fired === 0).map((rule) => `\n  ${rule.text}`);
    if (idle.length > 0) {
      const message = `${idle.length} of the faults never happened:${idle.join("")}`;
      throw new AssertionError({ message });
    }
  }
}
