/// <reference types="node" />

/** A duration; what is not given counts as 0. */
export interface Duration {
  hours?: number;
  minutes?: number;
  seconds?: number;
  ms?: number;
}

/** How long a state is waited for, in real time. */
export interface Limit {
  /** Default: 4, less than the five after which vitest and jest end a test. */
  seconds?: number;
}

/** A virtual host. */
export interface InVirtualHost {
  /** Default: `/`. */
  vhost?: string;
}

/** Properties of a message by AMQP's names, without the headers. */
export interface Properties {
  content_type?: string;
  content_encoding?: string;
  delivery_mode?: number;
  priority?: number;
  correlation_id?: string;
  reply_to?: string;
  expiration?: string;
  message_id?: string;
  timestamp?: number;
  type?: string;
  user_id?: string;
  app_id?: string;
  cluster_id?: string;
}

export type Headers = Record<string, unknown>;

/** The broker refuses what it was asked for. */
export class ControlError extends Error {}

/** A state was not reached in time. The text tells what has happened instead. */
export class TimedOut extends ControlError {}

export interface StartOptions {
  /** Time stands still until it is advanced. Default: true. */
  manualClock?: boolean;
  /** Events that the journal keeps. Default: 100,000. */
  journal?: number;
  /** Looks for what is allowed but seldom meant; `deny` also refuses it. */
  lint?: "warn" | "deny";
  /** Refuses what RabbitMQ 4.3 refuses by default and 4.0 does not. Default: false. */
  denyDeprecated?: boolean;
  /** Knows only the types of exchanges that RabbitMQ 4.0 knows without plugins. Default: false. */
  withoutPlugins?: boolean;
  /** Repeats what RabbitMQ 4.0 does wrong. Default: false. */
  rabbitmqFaults?: boolean;
  /** RabbitMQ's definitions to start with: the path or the URL of a file. */
  definitions?: string | URL;
  /**
   * The program. Default: `LEVERET_BINARY`, or that of the package for this platform, or `leveret`
   * on the path.
   */
  binary?: string;
}

/** Starts a broker that keeps everything in memory, on free ports. */
export function startBroker(options?: StartOptions): Promise<Broker>;

/**
 * Starts a broker, gives it to `work`, and ends it afterwards. If `work` fails, the message of its
 * error ends with what has happened last.
 */
export function withBroker<T>(
  work: (broker: Broker) => T | Promise<T>,
  options?: StartOptions,
): Promise<T>;

export interface Queue {
  vhost: string;
  name: string;
  /** Messages that wait for a consumer. */
  ready: number;
  /** Messages that wait for an acknowledgement. */
  unacked: number;
  consumers: number;
}

/** A message in a queue. */
export interface Message {
  /** Empty for the default exchange. */
  exchange: string;
  routing_key: string;
  properties: Properties;
  headers: Headers;
  body: Buffer;
  /** Whether it may have been delivered before. */
  redelivered: boolean;
  /** How often it was returned to the queue. */
  delivery_count: number;
  /** By the broker's clock; null if it does not expire. */
  expires_at_ms: number | null;
}

/** A delivery that was not acknowledged yet. */
export interface Unacked extends Message {
  /** Null if it was taken by basic.get. */
  consumer_tag: string | null;
  /** Number of the connection that has it, as in the journal. */
  connection: number;
  /** What the client calls that connection; null if it gave it no name. */
  connection_name: string | null;
  /** Number of the channel that has it. */
  channel: number;
  delivered_at_ms: number;
}

/** Where a message goes, and what it has besides its body. */
export interface Envelope {
  /** Default: the default exchange, which leads to the queue that the routing key names. */
  exchange?: string;
  routingKey?: string;
  headers?: Headers;
  properties?: Properties;
  /** What becomes of a message that no queue gets. Default: it is an error. */
  mandatory?: boolean;
}

export interface PublishOptions extends Envelope, InVirtualHost, Limit {}

export interface ReleaseOptions extends InVirtualHost {
  /** How many messages. Default: 1. */
  count?: number;
  /** Consumer tag of who gets them. Default: whoever is next. */
  to?: string;
  /** The connection of that consumer: what the client calls it, or its number. */
  connection?: string | number;
  /** The channel of that consumer. */
  channel?: number;
}

/** Where a message would go, and why. */
export interface Explanation {
  exchange: string;
  routing_key: string;
  unroutable: boolean;
  /** Queues that would get it. */
  queues: string[];
  /** The exchanges on the way, with the bindings that match and those that nearly do. */
  steps: object[];
  /** All of it, to print. */
  text: string;
}

export interface Lint {
  kind: string;
  subject: string;
  text: string;
}

/** A running broker. */
export class Broker {
  private constructor();
  /** URL for any AMQP 0-9-1 client. */
  readonly amqp: string;
  /** RabbitMQ's HTTP API, and a page for a browser that shows the broker. */
  readonly management: string;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly journal: Journal;
  /** URL of a virtual host, for any AMQP 0-9-1 client. Default: `/`. */
  url(vhost?: string): string;
  /** Adds a virtual host in which the default user may do everything; resolves to its URL. */
  addVirtualHost(name: string): Promise<string>;
  /**
   * Adds what RabbitMQ's definitions hold, given as an object or as the path or URL of a file. The
   * default user stays as it is, and may do everything in their virtual hosts. Rejects if some
   * objects cannot be had, or exist otherwise; the rest is there.
   */
  importDefinitions(definitions: object | string | URL): Promise<void>;
  /** The queues by name; those of other virtual hosts than `/` as `vhost/name`. */
  queues(): Promise<Map<string, Queue>>;
  /** The first messages that are ready, which stay where they are. Default: 100. */
  peek(queue: string, options?: InVirtualHost & { max?: number }): Promise<Message[]>;
  /** The deliveries that were not acknowledged yet, oldest first, and who has them. */
  unacked(queue: string, options?: InVirtualHost): Promise<Unacked[]>;
  /** The queue takes publishes and gives nothing out but what `release` lets go. */
  hold(queue: string, options?: InVirtualHost): Promise<void>;
  /** Lets the next messages of a queue that is held go out; after them it is held again. */
  release(queue: string, options?: ReleaseOptions): Promise<void>;
  endHold(queue: string, options?: InVirtualHost): Promise<void>;
  /** Publishes a message and waits for the confirm. */
  publish(
    body: string | Uint8Array,
    options?: PublishOptions,
  ): Promise<"ack" | "nack" | "returned">;
  /**
   * Publishes messages in order, with one wait for the confirms of all; resolves to how many are
   * acked and were not returned. A message that is an object has what is not as of the others.
   */
  publishAll(
    messages: Iterable<string | Uint8Array | (Envelope & { body?: string | Uint8Array })>,
    options?: PublishOptions,
  ): Promise<number>;
  /** Where a message would go, and why. Nothing is published. */
  explain(
    message?: InVirtualHost & { exchange?: string; routingKey?: string; headers?: Headers },
  ): Promise<Explanation>;
  /** Raises or clears alarms: connections that publish are blocked while one is raised. */
  alarms(alarms: { memory?: boolean; disk?: boolean }): Promise<void>;
  /** What was found that is allowed but seldom meant, if the broker looks for it. */
  lints(): Promise<Lint[]>;
  /** Waits until nothing is left to do. Rejects with `TimedOut`. */
  waitUntilIdle(limit?: Limit): Promise<void>;
  /** Waits until a queue has these counts. Rejects with `TimedOut`. */
  waitForQueue(
    name: string,
    counts: InVirtualHost & Partial<Pick<Queue, "ready" | "unacked" | "consumers">>,
    limit?: Limit,
  ): Promise<void>;
  /** Waits until so many connections are open. Rejects with `TimedOut`. */
  waitForConnections(count: number, limit?: Limit): Promise<void>;
  /**
   * The broker crashes: all connections are lost, and whoever connects is refused. What was not
   * confirmed, or is not durable, may be lost. `start` brings the rest back.
   */
  crash(): Promise<void>;
  /** The broker is stopped in order: all connections are closed. */
  stop(): Promise<void>;
  /** After a crash or a stop: a broker at the same address, with what was durable. */
  start(): Promise<void>;
  /** The broker as it is, to be restored later. */
  snapshot(): Promise<Snapshot>;
  /** Deletes queues, exchanges and bindings, events, faults and alarms; connections stay. */
  reset(): Promise<void>;
  /** Calls the control API. Rejects with a `ControlError`. */
  call(method: string, path: string, body?: unknown): Promise<any>;
  /** Ends the broker. */
  close(): Promise<void>;
}

/** All of a broker but its connections, at one moment. */
export class Snapshot {
  private constructor();
  readonly queues: number;
  readonly messages: number;
  /**
   * Makes the broker what it was. Connections stay, and so do the consumers of queues that are
   * declared as they were. The journal is cleared; the time does not go back.
   */
  restore(): Promise<void>;
  /** Frees the memory that it takes. */
  forget(): Promise<void>;
}

/** The time of a broker. */
export class Clock {
  private constructor();
  /** Milliseconds since 1970, as the broker sees them. */
  nowMs(): Promise<number>;
  /** Moves time on. When this resolves, what follows has happened in the broker. */
  advance(by: Duration): Promise<void>;
  /** Moves time on to the next deadline: a message or a queue that expires, a delay. */
  advanceToNextEvent(): Promise<void>;
}

/** A fault that was declared. It is in force until it is removed. */
export class Rule {
  private constructor();
  /** What it does, in words. */
  readonly text: string;
  /** How often it acted. */
  fired(): Promise<number>;
  /** How many occasions passed its filters, whether it acted on them or not. */
  seen(): Promise<number>;
  /** What it holds back goes on. Tells how many. */
  release(): Promise<number>;
  /** Takes it back; what it holds back goes on. */
  remove(): Promise<void>;
}

/** A rule that has no action yet. Its last call says what happens, and puts it in force. */
export interface When {
  onConnection(name: string): this;
  onVirtualHost(name: string): this;
  onChannel(number: number): this;
  forQueue(name: string): this;
  forExchange(name: string): this;
  forRoutingKey(key: string): this;
  /** About messages with exactly this body. */
  withBody(body: string | Uint8Array): this;
  withBodyContaining(part: string): this;
  withHeader(name: string, value: unknown): this;
  withProperty<P extends keyof Properties>(name: P, value: Properties[P]): this;
  /** Only on the nth occasion, counted from 1. */
  nth(n: number): this;
  /** At most so often. */
  times(times: number): this;
  /** Not before so many occasions have passed. */
  after(occasions: number): this;
}

interface Ends extends When {
  /** What follows happens after this has taken effect, instead of before it. */
  afterwards(): this;
  /** The connection is lost: the broker closes its end without a word. */
  dropConnection(): Promise<Rule>;
  /** The broker crashes: see `Broker.crash`. */
  crash(): Promise<Rule>;
  closeChannel(code: number, text: string): Promise<Rule>;
  closeConnection(code: number, text: string): Promise<Rule>;
}

/** A rule for methods that clients call. */
export interface Methods extends Ends {
  /** It has no effect, and closes what the code closes: the channel or the connection. */
  refuse(code: number, text: string): Promise<Rule>;
  /** The broker reads nothing more from the connection before `Rule.release`. */
  stopReading(): Promise<Rule>;
}

/** A rule for publishes. */
export interface Publishes extends Methods {
  /** The message finds no queue, though one is bound. */
  unroutable(): Promise<Rule>;
}

/** A rule for confirms. It looks at the publish that is to be confirmed. */
export interface Confirms extends When {
  /**
   * The publisher is told that the broker could not take the message; its queues have it all the
   * same.
   */
  nack(): Promise<Rule>;
  /** The publisher is told that the broker could not take the message, and no queue has it. */
  nackAndDrop(): Promise<Rule>;
  /** The confirm does not go out before `Rule.release`. */
  hold(): Promise<Rule>;
  /** The confirm never comes. */
  lose(): Promise<Rule>;
}

/** A rule for deliveries to consumers. */
export interface Deliveries extends Ends {
  /** The message is delivered, and then once more with the redelivered flag. */
  twice(): Promise<Rule>;
  /** The message is delivered so much later by the broker's clock. */
  delay(by: Duration): Promise<Rule>;
}

/** A rule for messages that go back to their queue. */
export interface Requeues extends When {
  /** They go to the end of the queue instead of where they came from. */
  toTheEnd(): Promise<Rule>;
}

/** A rule for frames that the broker sends. */
export interface Frames extends When {
  /** The frame does not end as frames do. */
  corrupt(): Promise<Rule>;
  /** Half of the frame is sent, and then the connection is lost. */
  truncate(): Promise<Rule>;
}

/** The faults of a broker. */
export class Faults {
  private constructor();
  /** A rule for a method that clients call, such as `queue.declare`, or `any method`. */
  on(method: string): Methods;
  publishes(): Publishes;
  confirms(): Confirms;
  deliveries(): Deliveries;
  requeues(): Requeues;
  frames(): Frames;
  /** Every connection is lost now. Tells how many. */
  dropConnections(): Promise<number>;
  /** Every connection is closed now. Tells how many. */
  closeConnections(code: number, text: string): Promise<number>;
  /** All rules in force. */
  rules(): Promise<Rule[]>;
  /** Removes all rules; what they hold back goes on. */
  clear(): Promise<void>;
  /** Fails the test if there is a rule in force that never acted. */
  assertAllFired(): Promise<void>;
}

/** Something that happened. What else its kind knows is there by its name. */
export interface Event {
  /** Counts the events of a broker from 1. */
  number: number;
  at_ms: number;
  /** `published`, `delivered`, `dead_lettered` and so on. */
  kind: string;
  vhost: string;
  /** The same for all that happens to one message; null if there is none. */
  message: number | null;
  exchange?: string;
  routing_key?: string;
  properties?: Properties;
  headers: Headers;
  body?: Buffer;
  queue?: string;
  consumer_tag?: string;
  redelivered?: boolean;
  /** Why the message died. */
  reason?: DeathReason;
  /** The event in plain English. */
  line: string;
  [field: string]: unknown;
}

export type DeathReason = "rejected" | "expired" | "maxlen" | "delivery_limit";

export type DropReason =
  | "died"
  | "undeliverable"
  | "cycle"
  | "purged"
  | "queue_deleted"
  | "duplicate";

/** Events that meet all conditions, as they are at the time of the question. */
export class Events {
  protected constructor();
  published(): Events;
  routed(): Events;
  unroutable(): Events;
  returned(): Events;
  confirmed(): Events;
  nacked(): Events;
  enqueued(): Events;
  delivered(): Events;
  got(): Events;
  acked(): Events;
  requeued(): Events;
  rejected(): Events;
  expired(): Events;
  deadLettered(): Events;
  dropped(): Events;
  topology(): Events;
  /** About messages that were published to this exchange, empty for the default exchange. */
  to(exchange: string): Events;
  withKey(routingKey: string): Events;
  /** About messages with a routing key that this pattern of a topic exchange matches. */
  withKeyLike(pattern: string): Events;
  withBody(body: string | Uint8Array): Events;
  withBodyContaining(part: string): Events;
  withHeader(name: string, value: unknown): Events;
  withCorrelationId(id: string): Events;
  /** That happened in this queue; of dead letters it is the queue that they died in. */
  inQueue(queue: string): Events;
  /** That led a message to this queue: routed, or dead-lettered. */
  toQueue(queue: string): Events;
  ofConsumer(consumerTag: string): Events;
  byUser(user: string): Events;
  inVirtualHost(name: string): Events;
  because(reason: DeathReason): Events;
  droppedBecause(reason: DropReason): Events;
  redelivered(): Events;
  /** That happened after this event. */
  after(event: Event): Events;
  /** All that happened to the message of this event; dead letters are the same message. */
  ofMessage(event: Event): Events;
  /** The events, oldest first; of many, the `last` so many. */
  all(options?: { last?: number }): Promise<Event[]>;
  count(): Promise<number>;
  first(): Promise<Event | undefined>;
  last(): Promise<Event | undefined>;
  /** The bodies as texts, in order. */
  texts(): Promise<string[]>;
  /** What happened, one line for each event. */
  lines(options?: { last?: number }): Promise<string>;
  /** Waits until there are so many. Rejects with `TimedOut`. Default: 1. */
  waitFor(count?: number, limit?: Limit): Promise<void>;
  assertCount(count: number): Promise<void>;
  assertNone(): Promise<void>;
  /** Asserts that there is at least one; resolves to the oldest. */
  assertSome(): Promise<Event>;
  /** Asserts that there is exactly one; resolves to it. */
  assertOne(): Promise<Event>;
  /** Asserts that the bodies are these texts, in this order. */
  assertTexts(...texts: string[]): Promise<void>;
  /** Asserts that all of these happened before the first of those, and that there are both. */
  assertBefore(later: Events): Promise<void>;
}

/** All events of a broker. */
export class Journal extends Events {
  /** Forgets all events, for a test that begins where another part ended. */
  clear(): Promise<void>;
  /** Asserts that a message was published so; resolves to the event of the first one. */
  assertPublished(exchange: string, routingKey: string): Promise<Event>;
  /** Asserts that no message was lost: none was unroutable, and none was dropped. */
  assertNothingLost(): Promise<void>;
}
