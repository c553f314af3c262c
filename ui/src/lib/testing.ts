// What tests use of a broker: its clock, faults, snapshots, and the journal.
import { call } from './api';
import type { Overview } from './types';
import { peek } from './watch';

export interface Clock {
  manual: boolean;
  now: number;
  next_deadline: number | null;
}

export interface Fault {
  id: number;
  text: string;
  seen: number;
  fired: number;
}

export interface Snapshot {
  id: number;
  taken_at: number;
  queues: number;
  messages: number;
}

/** Something that happens at a time. */
export interface Deadline {
  at: number;
  what: string;
  kind: string;
  vhost: string;
  name: string;
}

export interface Testing {
  clock: Clock;
  /** The next hundred, in their order. */
  deadlines: Deadline[];
  journal: { capacity: number; forgotten: number } | null;
  faults: Fault[];
  snapshots: Snapshot[];
}

/** Whether the broker is one of a test. */
export const isTest = () => !!peek<Overview>('/api/overview')?.body.leveret_testing;

export const advance = (by: { ms: number } | { to_next_event: true }) =>
  call<Clock>('POST', 'api/leveret/clock/advance', by);

/** Something that happened; what else it has depends on its kind. */
export interface JournalEvent {
  number: number;
  at: number;
  vhost: string;
  kind: string;
  /** The same for all that happens to one message. */
  message: number | null;
  line: string;
  from_exchange?: string;
  routing_key?: string;
  body?: string;
  exchange?: string;
  queue?: string;
  queues?: string[];
  to?: string[];
  consumer_tag?: string;
  connection?: number;
  returned?: boolean;
  redelivered?: boolean;
  ms?: number;
  reason?: string;
}

export interface Journal {
  skipped: number;
  events: JournalEvent[];
}

/** Where a line of the diagram begins and ends: lanes by their names. */
export interface Step {
  from: string;
  to: string[];
  label: string;
  bad?: boolean;
}

const PUBLISHERS = 'publishers';
const exchange = (name = '') => `exchange ${name || '(default)'}`;
const queue = (name = '') => `queue ${name}`;

/** An event as a step of a sequence diagram; null if it belongs to no lane. */
export function step(event: JournalEvent): Step | null {
  const at = (lane: string, label: string, bad = false): Step => ({ from: lane, to: [lane], label, bad });
  const key = event.routing_key ? `“${event.routing_key}”` : '';
  switch (event.kind) {
    case 'published':
      return { from: PUBLISHERS, to: [exchange(event.from_exchange)], label: `publish ${key}` };
    case 'routed':
      return { from: exchange(event.from_exchange), to: (event.queues ?? []).map(queue), label: 'routed' };
    case 'unroutable':
      return event.returned
        ? { from: exchange(event.from_exchange), to: [PUBLISHERS], label: 'returned: no queue', bad: true }
        : at(exchange(event.from_exchange), 'no queue gets it', true);
    case 'replied':
      return at(exchange(event.from_exchange), 'direct reply');
    case 'delayed':
      return at(exchange(event.exchange), `kept for ${event.ms} ms`);
    case 'confirmed':
      return { from: exchange(event.from_exchange), to: [PUBLISHERS], label: 'confirm' };
    case 'nacked':
      return { from: exchange(event.from_exchange), to: [PUBLISHERS], label: 'nack', bad: true };
    case 'delivered':
      return {
        from: queue(event.queue),
        to: [`consumer ${event.consumer_tag}`],
        label: event.redelivered ? 'deliver again' : 'deliver',
      };
    case 'got':
      return { from: queue(event.queue), to: ['basic.get'], label: event.redelivered ? 'get again' : 'get' };
    case 'dead_lettered':
      return {
        from: queue(event.queue),
        to: (event.to ?? []).map(queue),
        label: `dead letter: ${event.reason ?? ''}`,
        bad: true,
      };
    case 'enqueued':
      return null; // its routing has shown it
    case 'acked':
      return at(queue(event.queue), 'acknowledged');
    case 'rejected':
    case 'expired':
    case 'dropped':
    case 'refused':
      return at(queue(event.queue), event.kind, true);
    case 'requeued':
      return at(queue(event.queue), 'back in its place');
    default:
      if (event.consumer_tag) return at(`consumer ${event.consumer_tag}`, event.kind.replaceAll('_', ' '));
      if (event.queue) return at(queue(event.queue), event.kind.replaceAll('_', ' '));
      if (event.exchange !== undefined) return at(exchange(event.exchange), event.kind.replaceAll('_', ' '));
      return at(PUBLISHERS, event.kind.replaceAll('_', ' '));
  }
}

const ORDER = [PUBLISHERS, 'exchange', 'queue', 'basic.get', 'consumer'];

/** The lanes of some steps, from publishers to consumers. */
export function lanes(steps: Step[]): string[] {
  const rank = (lane: string) => ORDER.findIndex((start) => lane.startsWith(start));
  const all = [...new Set(steps.flatMap(({ from, to }) => [from, ...to]))];
  return all.map((lane, at) => ({ lane, at })).sort((a, b) => rank(a.lane) - rank(b.lane) || a.at - b.at).map(({ lane }) => lane);
}
