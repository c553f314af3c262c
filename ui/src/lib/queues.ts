// The list of queues, of which there may be very many: what each is comes once, figures when they
// move.
import { useEffect, useState } from 'preact/hooks';
import type { Table } from './api';
import { onSession } from './session';
import { Stream } from './live';

export interface Queue {
  id: number;
  vhost: string;
  name: string;
  type: string;
  durable: boolean;
  auto_delete: boolean;
  exclusive: boolean;
  arguments: Table;
  policy: string | null;
  figures: Record<string, number>;
  /** Of figures that only rise, how fast: per second, in the last second. */
  rates: Record<string, number>;
}

interface Event {
  at: number;
  queues: {
    figures?: string[];
    new: Omit<Queue, 'figures' | 'rates'>[];
    moved: number[][];
    gone: number[];
  };
}

const LINGER_MS = 30_000;
const LEVELS = new Set(['ready', 'unacked', 'consumers', 'memory', 'held']);

let queues = new Map<number, Queue>();
let moving: Queue[] = [];
let names: string[] = [];
let before = 0;
let users = 0;
let linger = 0;
let version = 0;
const listeners = new Set<() => void>();

const NONE: Record<string, number> = {};

function take({ at, queues: event }: Event, isFirst: boolean) {
  if (isFirst) {
    queues = new Map();
    names = event.figures ?? [];
    moving = [];
  }
  for (const queue of event.new) {
    const known = queues.get(queue.id);
    queues.set(queue.id, { ...queue, figures: known?.figures ?? {}, rates: known?.rates ?? NONE });
  }
  for (const queue of moving) queue.rates = NONE;
  moving = [];
  const seconds = Math.max(at - before, 1) / 1000;
  for (const [id, ...values] of event.moved) {
    const queue = queues.get(id ?? 0);
    if (!queue) continue;
    const last = queue.figures;
    queue.figures = Object.fromEntries(names.map((name, at) => [name, values[at] ?? 0]));
    if (isFirst || !('publish' in last)) continue;
    const rates: Record<string, number> = {};
    for (const name of names) {
      const grown = (queue.figures[name] ?? 0) - (last[name] ?? 0);
      if (grown && !LEVELS.has(name)) rates[name] = Math.max(grown / seconds, 0);
    }
    queue.rates = rates;
    moving.push(queue);
  }
  for (const id of event.gone) queues.delete(id);
  before = at;
  version += 1;
  for (const listener of listeners) listener();
}

const stream = new Stream<Event>(take, () => {});

onSession(() => {
  queues = new Map();
  version += 1;
  stream.restart();
});

export interface Queues {
  all: Queue[];
  /** Whether the list has come. */
  ready: boolean;
  version: number;
}

/** All queues that the user may see, kept up to date. */
export function useQueues(): Queues {
  const [, set] = useState(0);
  useEffect(() => {
    const listener = () => set((n) => n + 1);
    listeners.add(listener);
    users += 1;
    clearTimeout(linger);
    stream.start('lists=queues');
    return () => {
      listeners.delete(listener);
      users -= 1;
      if (!users) {
        linger = setTimeout(() => {
          stream.stop();
          queues = new Map();
          names = [];
        }, LINGER_MS);
      }
    };
  }, []);
  return { all: [...queues.values()], ready: names.length > 0, version };
}

/** The queues that are known now, without asking for more. */
export const knownQueues = (): Iterable<Queue> => queues.values();

/** What is made or deleted by this page is to be seen at once. */
export const refreshQueues = () => stream.restart();
