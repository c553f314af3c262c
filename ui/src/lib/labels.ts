// Where is written what goes a way of the picture: each label on its way, none over another one or
// over a box. One that finds no place is written when its way is pointed at, or lit.
import { along, type Point } from './curve';
import { labelOf, NODE_HEIGHT, NODE_WIDTH, textWidth, type Edge, type Graph, type Node } from './graph';

interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** With more ways than this all that is written would hide the picture. */
const EDGES_MAX = 40;

/** Room for the rate, which comes and goes, and is no reason for a label to move. */
const RATE = '000.0k/s';

/** From the line up to the top of the keys, down to the bottom of the rate, and to the sides. */
const ABOVE = 18;
const BELOW = 17;
const BESIDE = 4;

/** Room for the head of the arrow. */
const ARROW = 14;

/** Places along a way. */
const PARTS = Array.from({ length: 19 }, (_, at) => 0.05 + at * 0.05);

/** The same, the best first: where ways that begin or end together are far from each other. */
function partsOf({ from, to }: Edge, ways: Map<Node, number>): number[] {
  const [begin, end] = [ways.get(from) ?? 0, ways.get(to) ?? 0];
  const best = begin > end ? 0.65 : begin < end ? 0.35 : 0.5;
  return [...PARTS].sort((one, other) => Math.abs(one - best) - Math.abs(other - best));
}

const halfOf = (edge: Edge) => Math.max(textWidth(labelOf(edge)), textWidth(RATE)) / 2 + BESIDE;

/** A place on the way, drawn in between the boxes at its ends: the way still runs through it. */
function placeAt(edge: Edge, part: number): Point {
  const { x, y } = along(edge, part);
  const half = halfOf(edge);
  const [least, most] = [edge.from.x + NODE_WIDTH + half, edge.to.x - ARROW - half];
  return { x: least < most ? Math.min(Math.max(x, least), most) : x, y };
}

function boxOf(edge: Edge, { x, y }: Point): Box {
  const half = halfOf(edge);
  return { left: x - half, right: x + half, top: y - (labelOf(edge) ? ABOVE : 0), bottom: y + BELOW };
}

const meet = (one: Box, other: Box) =>
  one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;

function place(graph: Graph, edges: Edge[]): Map<string, Point> {
  const taken: Box[] = graph.nodes.map(({ x, y }) => ({ left: x, top: y, right: x + NODE_WIDTH, bottom: y + NODE_HEIGHT }));
  const places = new Map<string, Point>();
  const ways = new Map<Node, number>();
  for (const { from, to } of graph.edges) for (const node of [from, to]) ways.set(node, (ways.get(node) ?? 0) + 1);
  for (const edge of edges) {
    for (const part of partsOf(edge, ways)) {
      const point = placeAt(edge, part);
      const box = boxOf(edge, point);
      if (taken.some((other) => meet(box, other))) continue;
      taken.push(box);
      places.set(edge.id, point);
      break;
    }
  }
  return places;
}

/** The places of labels by their ways. Those that are wanted come first. */
export function labels(graph: Graph, wanted: Edge[]): Map<string, Point> {
  if (graph.edges.length > EDGES_MAX) return place(graph, wanted);
  const places = place(graph, graph.edges);
  // They stay where they are if nothing that is wanted is missing.
  if (wanted.every(({ id }) => places.has(id))) return places;
  return place(graph, [...wanted, ...graph.edges.filter((edge) => !wanted.includes(edge))]);
}
