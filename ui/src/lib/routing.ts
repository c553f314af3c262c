// Where a message would go: RabbitMQ's rules of the exchange types, followed through the bindings.
import type { Json, Table } from './api';
import { exchangeId, queueId } from './graph';
import type { Binding, Exchange } from './types';

export interface Ways {
  /** Nodes that a message reaches. */
  nodes: Set<string>;
  /** Bindings that it takes. */
  bindings: Set<Binding>;
  queues: string[];
  /** Bindings of exchanges that it reaches which nearly match, and why they do not. */
  near: { binding: Binding; why: string }[];
  /** Exchanges whose type is not one that can be told of here. */
  unknown: string[];
  /** Whether it went by an alternate exchange. */
  alternate: boolean;
}

/** Whether a topic pattern fits a key: `*` is one word, `#` any number of them. */
export function topicMatches(pattern: string, key: string): boolean {
  const words = pattern.split('.');
  const given = key === '' ? [] : key.split('.');
  if (pattern === '') return key === '';
  // Which of the first words of the key can be used up by the pattern so far.
  let reach = new Set([0]);
  for (const word of words) {
    const next = new Set<number>();
    for (const at of reach) {
      if (word === '#') for (let to = at; to <= given.length; to += 1) next.add(to);
      else if (at < given.length && (word === '*' || word === given[at])) next.add(at + 1);
    }
    reach = next;
  }
  return reach.has(given.length);
}

const same = (one: Json | undefined, other: Json | undefined) => JSON.stringify(one) === JSON.stringify(other);

function headersMatch(args: Table, headers: Table): boolean {
  const how = String(args['x-match'] ?? 'all');
  const wanted = Object.entries(args).filter(([name]) => how.endsWith('-with-x') ? name !== 'x-match' : !name.startsWith('x-'));
  const fits = ([name, value]: [string, Json]) => name in headers && (value === null || same(value, headers[name]));
  return how.startsWith('any') ? wanted.some(fits) : wanted.every(fits);
}

const KNOWN = new Set(['direct', 'fanout', 'topic', 'headers', 'x-delayed-message']);

function matches(type: string, binding: Binding, key: string, headers: Table): boolean {
  switch (type) {
    case 'direct':
      return binding.routing_key === key;
    case 'topic':
      return topicMatches(binding.routing_key, key);
    case 'headers':
      return headersMatch(binding.arguments, headers);
    default:
      return true;
  }
}

const typeOf = ({ type, arguments: args }: Exchange) =>
  type === 'x-delayed-message' ? String(args['x-delayed-type'] ?? 'direct') : type;

/** Differences in letters that somebody may have mistyped. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const cost = one[i - 1] === other[j - 1] ? 0 : 1;
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost);
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

function whyNot(type: string, binding: Binding, key: string, headers: Table): string | null {
  if (type === 'headers') {
    const missing = Object.entries(binding.arguments).filter(
      ([name, value]) => !name.startsWith('x-') && !same(value, headers[name]),
    );
    return missing.length === 1 ? `the header ${missing[0]?.[0]} would have to be ${JSON.stringify(missing[0]?.[1])}` : null;
  }
  const pattern = binding.routing_key;
  if (pattern.toLowerCase() === key.toLowerCase()) return 'but for capital letters';
  if (type === 'topic') {
    const [words, given] = [pattern.split('.'), key.split('.')];
    if (words.length === given.length) {
      const wrong = words.filter((word, at) => word !== '*' && word !== '#' && word !== given[at]);
      if (wrong.length === 1) return `“${wrong[0]}” would have to be in its place`;
    } else if (Math.abs(words.length - given.length) === 1 && !pattern.includes('#')) {
      return words.length > given.length ? 'it has a word more' : 'it has a word less: # is any number of words';
    }
    return null;
  }
  if (type === 'direct' && /[*#]/.test(pattern)) return 'in a direct exchange * and # mean nothing';
  return distance(pattern, key) <= 2 ? 'they differ by a letter or two' : null;
}

const STEPS_MAX = 10_000;

export function follow(
  exchanges: Map<string, Exchange>,
  bindings: Binding[],
  queues: Set<string>,
  start: string,
  key: string,
  headers: Table,
): Ways {
  const ways: Ways = { nodes: new Set(), bindings: new Set(), queues: [], near: [], unknown: [], alternate: false };
  const from = new Map<string, Binding[]>();
  for (const binding of bindings) {
    if (binding.source !== '') from.set(binding.source, [...(from.get(binding.source) ?? []), binding]);
  }
  const found = new Set<string>();
  const todo = [start];
  for (let steps = 0; todo.length && steps < STEPS_MAX; steps += 1) {
    const name = todo.pop() ?? '';
    const exchange = exchanges.get(name);
    if (!exchange || ways.nodes.has(exchangeId(name))) continue;
    ways.nodes.add(exchangeId(name));
    if (name === '') {
      if (queues.has(key)) found.add(key);
      continue;
    }
    const type = typeOf(exchange);
    if (!KNOWN.has(type)) {
      ways.unknown.push(name);
      continue;
    }
    let matched = false;
    for (const binding of from.get(name) ?? []) {
      if (matches(type, binding, key, headers)) {
        matched = true;
        ways.bindings.add(binding);
        if (binding.destination_type === 'queue') found.add(binding.destination);
        else todo.push(binding.destination);
      } else {
        const why = whyNot(type, binding, key, headers);
        if (why) ways.near.push({ binding, why });
      }
    }
    const alternate = exchange.arguments['alternate-exchange'];
    if (!matched && typeof alternate === 'string') {
      ways.alternate = true;
      todo.push(alternate);
    }
  }
  for (const queue of found) ways.nodes.add(queueId(queue));
  ways.queues = [...found].sort();
  return ways;
}
