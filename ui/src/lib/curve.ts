// The line of a way of the picture.
import { BELOW, NODE_HEIGHT, NODE_WIDTH, type Edge } from './graph';

export interface Point {
  x: number;
  y: number;
}

/** Where it leaves one box and comes to the other. */
function ends({ from, to }: Edge): [Point, Point] {
  const middle = NODE_HEIGHT / 2;
  return [{ x: from.x + NODE_WIDTH, y: from.y + middle }, { x: to.x - 2, y: to.y + middle }];
}

const isOnwards = ({ from, to }: Edge) => to.layer > from.layer;

const lowest = ({ from, to }: Edge) => Math.max(from.y, to.y) + NODE_HEIGHT + BELOW;

const bendOf = (start: Point, end: Point) => Math.max((end.x - start.x) / 2, 40);

/** As SVG draws it. */
export function path(edge: Edge): string {
  const [start, end] = ends(edge);
  if (isOnwards(edge)) {
    const bend = bendOf(start, end);
    return `M${start.x} ${start.y}C${start.x + bend} ${start.y} ${end.x - bend} ${end.y} ${end.x} ${end.y}`;
  }
  const low = lowest(edge);
  const [right, left] = [start.x - NODE_WIDTH / 2, end.x + NODE_WIDTH / 2];
  return `M${start.x} ${start.y}C${start.x + 70} ${start.y} ${start.x + 40} ${low} ${right} ${low}L${left} ${low}C${end.x - 40} ${low} ${end.x - 70} ${end.y} ${end.x} ${end.y}`;
}

/** A part of the way along it, from 0 to 1; of one that leads back along its lowest stretch. */
export function along(edge: Edge, part: number): Point {
  const [start, end] = ends(edge);
  if (!isOnwards(edge)) {
    const [right, left] = [start.x - NODE_WIDTH / 2, end.x + NODE_WIDTH / 2];
    return { x: right + (left - right) * part, y: lowest(edge) };
  }
  const bend = bendOf(start, end);
  const rest = 1 - part;
  const weights = [rest ** 3, 3 * rest ** 2 * part, 3 * rest * part ** 2, part ** 3] as const;
  const cubic = (a: number, b: number, c: number, d: number) =>
    weights[0] * a + weights[1] * b + weights[2] * c + weights[3] * d;
  return {
    x: cubic(start.x, start.x + bend, end.x - bend, end.x),
    y: cubic(start.y, start.y, end.y, end.y),
  };
}
