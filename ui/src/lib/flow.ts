// How many messages go each way of the picture, as far as the broker's figures tell: it counts what
// comes to exchanges and queues, not what each binding brings.
import type { Edge, Graph, Node } from './graph';
import type { Queue } from './queues';
import { rateOf, type MessageStats } from './types';

/** Per second, by the ways' ids; a way that is not in it is not known. */
export type Flows = Map<string, number>;

export function flows(graph: Graph, exchanges: Map<string, MessageStats | undefined>): Flows {
  const known: Flows = new Map();
  const into = new Map<Node, Edge[]>();
  for (const edge of graph.edges) into.set(edge.to, [...(into.get(edge.to) ?? []), edge]);
  const published = (node: Node) => rateOf(exchanges.get(node.name), 'publish_in');
  /** What comes to a node; to an exchange from another one at least what goes on to one queue. */
  const arrives = (node: Node): number => {
    if (node.queue) return node.queue.rates['publish'] ?? 0;
    const onwards = graph.edges.filter(({ from }) => from === node).map(({ id }) => known.get(id) ?? 0);
    return Math.max(published(node), ...onwards);
  };
  /** What can go out of a node at most. */
  const leaves = (node: Node): number => {
    if (node.queue) return died(node.queue);
    const own = published(node);
    if (own > 0) return own;
    return (into.get(node) ?? []).some(({ from }) => leavesFirst(from)) ? Infinity : 0;
  };
  const leavesFirst = (node: Node) => (node.queue ? died(node.queue) > 0 : published(node) > 0);
  // From the right to the left: what goes on is known before what comes.
  for (const node of [...graph.nodes].sort((one, other) => other.layer - one.layer)) {
    const ways = into.get(node) ?? [];
    const rate = arrives(node);
    const bound = ways.map((edge) => Math.min(leaves(edge.from), rate));
    const open = bound.filter((most) => most > 0).length;
    ways.forEach((edge, at) => {
      const most = bound[at] ?? 0;
      // With one way open all comes by it; with several nobody knows how much comes by each.
      if (most === 0 || open === 1) known.set(edge.id, most);
    });
  }
  return known;
}

const DEATHS = ['expired', 'maxlen', 'rejected', 'delivery_limit'];

/** What leaves a queue by dying. */
const died = ({ rates }: Queue) => DEATHS.reduce((sum, name) => sum + (rates[name] ?? 0), 0);

/** How thick a way is drawn, in pixels. */
export const width = (rate: number) => Math.min(1.5 + Math.log10(1 + rate) * 1.4, 7);
