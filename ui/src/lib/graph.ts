// Exchanges, queues and what leads from one to the other, as a graph with places for all of them:
// in layers from the left to the right, the way that messages go.
import type { Queue } from './queues';
import type { Binding, Exchange } from './types';

export interface Node {
  id: string;
  kind: 'exchange' | 'queue';
  name: string;
  exchange?: Exchange;
  queue?: Queue;
  layer: number;
  x: number;
  y: number;
}

export interface Edge {
  id: string;
  from: Node;
  to: Node;
  kind: 'binding' | 'dead-letter' | 'alternate';
  bindings: Binding[];
}

export interface Graph {
  nodes: Node[];
  edges: Edge[];
  width: number;
  height: number;
  /** How many things there are that are not shown. */
  left: number;
}

export const NODE_WIDTH = 176;
export const NODE_HEIGHT = 46;
/** From one layer to the next, at least; with room for what is written on the ways between. */
const LAYER_GAP = 120;
const BESIDE_LABELS = 34;
const ROW_GAP = 18;
/** A way that leads back goes around what it leads from and to: so far beside it, and below. */
const AROUND = 56;
export const BELOW = 26;
const SWEEPS = 6;
/** More than this nobody can look at, nor draw every second. */
const NODES_MAX = 300;

/** Characters of a label, at most. */
const LABEL = 18;

/** What is written on a way: its keys, or headers. */
export function labelOf({ kind, bindings }: Edge): string {
  if (kind !== 'binding') return '';
  const keys = bindings.map((binding) => {
    if (binding.routing_key) return binding.routing_key;
    const args = Object.entries(binding.arguments).filter(([name]) => name !== 'x-match');
    return args.map(([name, value]) => `${name}=${String(value)}`).join(' ');
  });
  const text = keys.filter(Boolean).slice(0, 2).join(', ') + (keys.length > 2 ? ` +${keys.length - 2}` : '');
  return text.length > LABEL ? `${text.slice(0, LABEL - 1)}…` : text;
}

/** Pixels of a character of a label, all of which are as wide; those of the east are twice that. */
const CHARACTER = 6.7;

export const textWidth = (text: string) =>
  [...text].reduce((sum, character) => sum + (character > '\u10ff' ? 2 : 1), 0) * CHARACTER;

export const exchangeId = (name: string) => `e ${name}`;
export const queueId = (name: string) => `q ${name}`;

export interface Parts {
  exchanges: Exchange[];
  queues: Queue[];
  bindings: Binding[];
  /** What has to be there although nothing is bound to it. */
  also: string[];
  matches: (name: string) => boolean;
}

export function build(parts: Parts): Graph {
  const nodes = new Map<string, Node>();
  const edges = new Map<string, Edge>();
  for (const exchange of parts.exchanges) {
    const id = exchangeId(exchange.name);
    nodes.set(id, { id, kind: 'exchange', name: exchange.name, exchange, layer: 0, x: 0, y: 0 });
  }
  for (const queue of parts.queues) {
    const id = queueId(queue.name);
    nodes.set(id, { id, kind: 'queue', name: queue.name, queue, layer: 0, x: 0, y: 0 });
  }
  const link = (from: string, to: string, kind: Edge['kind'], binding?: Binding) => {
    const [one, other] = [nodes.get(from), nodes.get(to)];
    if (!one || !other) return;
    const id = `${kind} ${from} > ${to}`;
    const edge = edges.get(id) ?? { id, from: one, to: other, kind, bindings: [] };
    if (binding) edge.bindings.push(binding);
    edges.set(id, edge);
  };
  for (const binding of parts.bindings) {
    if (binding.source === '') continue;
    const to = binding.destination_type === 'queue' ? queueId : exchangeId;
    link(exchangeId(binding.source), to(binding.destination), 'binding', binding);
  }
  for (const { name, arguments: args } of parts.queues) {
    const target = args['x-dead-letter-exchange'];
    if (typeof target !== 'string') continue;
    const key = args['x-dead-letter-routing-key'];
    // By the default exchange it goes straight to a queue.
    if (target === '' && typeof key === 'string') link(queueId(name), queueId(key), 'dead-letter');
    else link(queueId(name), exchangeId(target), 'dead-letter');
  }
  for (const { name, arguments: args } of parts.exchanges) {
    const target = args['alternate-exchange'];
    if (typeof target === 'string') link(exchangeId(name), exchangeId(target), 'alternate');
  }
  const { shown, left } = choose(parts, nodes, [...edges.values()]);
  const kept = [...edges.values()].filter(({ from, to }) => shown.has(from) && shown.has(to));
  return { ...place([...shown], kept), left };
}

/** What is shown: what is bound, and of that what is searched for with its neighbours. */
function choose(parts: Parts, nodes: Map<string, Node>, edges: Edge[]) {
  const bound = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const isOwn = (node: Node) => node.kind === 'queue' || !(node.name === '' || node.name.startsWith('amq.'));
  const all = [...nodes.values()].filter((node) => bound.has(node) || isOwn(node) || parts.also.includes(node.id));
  const found = all.filter((node) => parts.matches(node.name) || parts.also.includes(node.id));
  const shown = new Set(found.slice(0, NODES_MAX));
  if (found.length < all.length) {
    for (const { from, to } of edges) {
      if (shown.size >= NODES_MAX) break;
      if (found.includes(from)) shown.add(to);
      if (found.includes(to)) shown.add(from);
    }
  }
  return { shown, left: Math.max(found.length - NODES_MAX, 0) };
}

function place(nodes: Node[], edges: Edge[]): Omit<Graph, 'left'> {
  layer(nodes, edges);
  const layers: Node[][] = [];
  for (const node of nodes) (layers[node.layer] ??= []).push(node);
  for (const row of layers) row?.sort((one, other) => (one.name < other.name ? -1 : 1));
  order(layers, edges);
  const tallest = Math.max(1, ...layers.map((row) => row?.length ?? 0));
  const step = NODE_HEIGHT + ROW_GAP;
  const widest = Math.max(0, ...edges.map((edge) => textWidth(labelOf(edge))));
  const gap = Math.max(LAYER_GAP, widest + BESIDE_LABELS);
  const height = tallest * step - ROW_GAP;
  layers.forEach((row = [], at) => {
    const top = (height - (row.length * step - ROW_GAP)) / 2;
    row.forEach((node, index) => {
      node.x = at * (NODE_WIDTH + gap);
      node.y = top + index * step;
    });
  });
  const width = Math.max(layers.length, 1) * (NODE_WIDTH + gap) - gap;
  const back = edges.filter(({ from, to }) => to.layer <= from.layer);
  if (!back.length) return { nodes, edges, width, height };
  for (const node of nodes) node.x += AROUND;
  const low = Math.max(...back.map(({ from, to }) => Math.max(from.y, to.y))) + NODE_HEIGHT + BELOW;
  return { nodes, edges, width: width + 2 * AROUND, height: Math.max(height, low) };
}

/** The longest way to each node decides its layer; ways that lead back are left aside. */
function layer(nodes: Node[], edges: Edge[]) {
  const out = onwards(edges);
  const left = new Map<Node, number>();
  for (const to of [...out.values()].flat()) left.set(to, (left.get(to) ?? 0) + 1);
  const isReached = new Set(edges.map(({ to }) => to));
  for (const node of nodes) node.layer = node.kind === 'queue' && !isReached.has(node) ? 1 : 0;
  const next = nodes.filter((node) => !left.has(node));
  for (let node = next.pop(); node; node = next.pop()) {
    for (const to of out.get(node) ?? []) {
      to.layer = Math.max(to.layer, node.layer + 1);
      const rest = (left.get(to) ?? 1) - 1;
      left.set(to, rest);
      if (!rest) next.push(to);
    }
  }
}

/** Bindings first: dead letters often come back to where they are published again, and then it is
    they that lead back in the picture. */
const RANKS = { binding: 0, alternate: 1, 'dead-letter': 2 } as const;

/** Where each node leads, without the ways that close a circle. */
function onwards(edges: Edge[]): Map<Node, Node[]> {
  const out = new Map<Node, Node[]>();
  const reaches = (start: Node, end: Node) => {
    const seen = new Set([start]);
    for (const node of seen) {
      if (node === end) return true;
      for (const to of out.get(node) ?? []) seen.add(to);
    }
    return false;
  };
  for (const { from, to } of [...edges].sort((one, other) => RANKS[one.kind] - RANKS[other.kind])) {
    if (!reaches(to, from)) out.set(from, [...(out.get(from) ?? []), to]);
  }
  return out;
}

/** Neighbours are to be at one height, so that few edges cross. */
function order(layers: Node[][], edges: Edge[]) {
  const neighbours = new Map<Node, Node[]>();
  const add = (one: Node, other: Node) => neighbours.set(one, [...(neighbours.get(one) ?? []), other]);
  for (const { from, to } of edges) {
    add(from, to);
    add(to, from);
  }
  const position = new Map<Node, number>();
  const note = (row: Node[]) => row.forEach((node, at) => position.set(node, (at + 0.5) / row.length));
  layers.forEach((row) => row && note(row));
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const rows = sweep % 2 ? [...layers].reverse() : layers;
    for (const row of rows) {
      if (!row) continue;
      const wish = new Map(
        row.map((node) => {
          const near = neighbours.get(node) ?? [];
          const sum = near.reduce((total, other) => total + (position.get(other) ?? 0), 0);
          return [node, near.length ? sum / near.length : (position.get(node) ?? 0)];
        }),
      );
      row.sort((one, other) => (wish.get(one) ?? 0) - (wish.get(other) ?? 0));
      note(row);
    }
  }
}
