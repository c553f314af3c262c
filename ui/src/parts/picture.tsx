// Exchanges, queues and the ways between them, drawn: to be moved, zoomed and pointed at.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { path, type Point } from '../lib/curve';
import { width, type Flows } from '../lib/flow';
import { count, exchangeName, integer, rate, short } from '../lib/format';
import { labelOf, NODE_HEIGHT, NODE_WIDTH, type Edge, type Graph, type Node } from '../lib/graph';
import { labels } from '../lib/labels';
import { to } from '../lib/route';
import type { Ways } from '../lib/routing';
import { Tag } from './bits';

interface View {
  x: number;
  y: number;
  scale: number;
}

const MARGIN = 28;
const SCALE_MAX = 2;

export function Picture({
  graph,
  ways,
  vhost,
  speeds,
  flow,
}: {
  graph: Graph;
  ways: Ways | null;
  vhost: string;
  speeds: Map<string, string>;
  flow: Flows;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<View>({ x: MARGIN, y: MARGIN, scale: 1 });
  const [over, setOver] = useState<string | null>(null);
  const drag = useRef<{ x: number; y: number; view: View } | null>(null);
  const moved = useRef(false);

  const fit = () => {
    const element = box.current;
    if (!element) return;
    const { clientWidth: width, clientHeight: height } = element;
    const scale = Math.min((width - 2 * MARGIN) / graph.width, (height - 2 * MARGIN) / graph.height, 1.15);
    // So small that nobody can read it is of no use: then the beginning is shown.
    const readable = Math.max(scale, 0.45);
    const centred = (room: number, size: number) => Math.max((room - size * readable) / 2, MARGIN);
    setView({ x: centred(width, graph.width), y: centred(height, graph.height), scale: readable });
  };
  useEffect(fit, [graph]);
  const zoom = (factor: number, at?: { x: number; y: number }) => {
    const element = box.current;
    if (!element) return;
    const point = at ?? { x: element.clientWidth / 2, y: element.clientHeight / 2 };
    setView((view) => {
      const scale = Math.min(Math.max(view.scale * factor, 0.1), SCALE_MAX);
      const by = scale / view.scale;
      return { scale, x: point.x - (point.x - view.x) * by, y: point.y - (point.y - view.y) * by };
    });
  };
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      zoom(Math.exp(-event.deltaY / 400), { x: event.clientX - left, y: event.clientY - top });
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, []);
  const onKey = (event: KeyboardEvent) => {
    const step = 60;
    const move = (x: number, y: number) => setView((view) => ({ ...view, x: view.x + x, y: view.y + y }));
    if (event.key === '+' || event.key === '=') zoom(1.25);
    else if (event.key === '-') zoom(0.8);
    else if (event.key === '0') fit();
    else if (event.key === 'ArrowLeft') move(step, 0);
    else if (event.key === 'ArrowRight') move(-step, 0);
    else if (event.key === 'ArrowUp') move(0, step);
    else if (event.key === 'ArrowDown') move(0, -step);
    else return;
    event.preventDefault();
  };
  const lit = (edge: Edge) =>
    !!ways &&
    (edge.kind === 'binding'
      ? edge.bindings.some((binding) => ways.bindings.has(binding))
      : edge.kind === 'alternate' && ways.alternate && ways.nodes.has(edge.from.id) && ways.nodes.has(edge.to.id));
  const touches = (edge: Edge) => over === edge.from.id || over === edge.to.id;
  const places = useMemo(() => {
    const wanted = [...graph.edges.filter(lit), ...graph.edges.filter((edge) => touches(edge) && !lit(edge))];
    return labels(graph, wanted);
  }, [graph, ways, over]);

  return (
    <div class="picture">
      <div
        ref={box}
        class="canvas"
        tabIndex={0}
        role="group"
        aria-label={`${count(graph.nodes.length, 'exchange or queue', 'exchanges and queues')} with ${count(graph.edges.length, 'way')} between them. Plus and minus zoom, arrows move.`}
        onKeyDown={onKey}
        onPointerDown={(event) => {
          drag.current = { x: event.clientX, y: event.clientY, view };
          moved.current = false;
        }}
        onPointerMove={(event) => {
          const from = drag.current;
          if (!from) return;
          const [x, y] = [event.clientX - from.x, event.clientY - from.y];
          if (Math.abs(x) + Math.abs(y) > 4) moved.current = true;
          if (moved.current) setView({ ...from.view, x: from.view.x + x, y: from.view.y + y });
        }}
        onPointerUp={() => {
          drag.current = null;
        }}
        onPointerLeave={() => {
          drag.current = null;
        }}
        onClickCapture={(event) => {
          // Whoever has moved the picture did not mean to open what was under the pointer.
          if (moved.current) event.preventDefault();
        }}
      >
        <svg class={ways ? 'graph trying' : 'graph'}>
          <defs>
            {['binding', 'dead-letter', 'alternate', 'lit'].map((kind) => (
              <marker id={`arrow-${kind}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="11" markerHeight="11" markerUnits="userSpaceOnUse" orient="auto">
                <path class={`head ${kind}`} d="M0 0.500L8 4L0 7.500z" />
              </marker>
            ))}
          </defs>
          <g transform={`translate(${view.x} ${view.y}) scale(${view.scale})`}>
            {graph.edges.map((edge) => (
              <EdgeView
                key={edge.id}
                edge={edge}
                lit={lit(edge)}
                near={touches(edge)}
                flow={flow.get(edge.id) ?? 0}
              />
            ))}
            {graph.nodes.map((node) => (
              <NodeView
                key={node.id}
                node={node}
                vhost={vhost}
                lit={!!ways?.nodes.has(node.id)}
                speed={speeds.get(node.id)}
                onOver={setOver}
              />
            ))}
            {graph.edges.map((edge) => (
              <LabelView key={edge.id} edge={edge} at={places.get(edge.id)} lit={lit(edge)} flow={flow.get(edge.id) ?? 0} />
            ))}
          </g>
        </svg>
      </div>
      <div class="zoom" role="group" aria-label="Zoom">
        <button aria-label="Larger" onClick={() => zoom(1.25)}>
          +
        </button>
        <button aria-label="Smaller" onClick={() => zoom(0.8)}>
          −
        </button>
        <button onClick={fit}>Fit</button>
      </div>
      {over && <Whole node={graph.nodes.find((node) => node.id === over)} />}
      {graph.left > 0 && (
        <p class="left">
          <Tag kind="warn">{integer(graph.left)} more are not shown: search for a part of their names</Tag>
        </p>
      )}
    </div>
  );
}

/** The whole name of what is pointed at, which its box may be too small for. */
const Whole = ({ node }: { node: Node | undefined }) =>
  node ? (
    <p class="whole">
      {node.kind} <b>{node.kind === 'exchange' ? exchangeName(node.name) : node.name}</b>
    </p>
  ) : null;

function EdgeView({ edge, lit, near, flow }: { edge: Edge; lit: boolean; near: boolean; flow: number }) {
  const kind = lit ? 'lit' : edge.kind;
  const keys = edge.bindings.map((binding) => binding.routing_key).filter(Boolean);
  const about = flow > 0 ? [`${flow.toFixed(1)} messages a second`, ...keys] : keys;
  return (
    <g class={`edge ${edge.kind}${lit ? ' lit' : ''}${near ? ' near' : ''}${flow > 0 ? ' flows' : ''}`}>
      <path d={path(edge)} marker-end={`url(#arrow-${kind})`} style={flow > 0 && !lit ? { strokeWidth: width(flow) } : undefined}>
        <title>{about.join('\n')}</title>
      </path>
    </g>
  );
}

/** What is written beside a way: keys above it, messages a second below. */
function LabelView({ edge, at, lit, flow }: { edge: Edge; at: Point | undefined; lit: boolean; flow: number }) {
  if (!at) return null;
  const keys = labelOf(edge);
  return (
    <g class={`label ${edge.kind}${lit ? ' lit' : ''}`} transform={`translate(${at.x} ${at.y})`} text-anchor="middle">
      {keys && <text y="-6">{keys}</text>}
      {flow > 0 && (
        <text class="rate" y="13">
          {rate(flow)}
        </text>
      )}
    </g>
  );
}

const NAME = 21;

const clip = (text: string) => (text.length > NAME ? `${text.slice(0, NAME - 1)}…` : text);

function NodeView({
  node,
  vhost,
  lit,
  speed,
  onOver,
}: {
  node: Node;
  vhost: string;
  lit: boolean;
  speed: string | undefined;
  onOver: (id: string | null) => void;
}) {
  const { queue, exchange } = node;
  const name = node.kind === 'exchange' ? exchangeName(node.name) : node.name;
  const ready = queue?.figures['ready'] ?? 0;
  const inRate = queue?.rates['publish'] ?? 0;
  let about: string;
  if (queue) {
    about = `${short(ready)} ready${inRate ? ` · ${rate(inRate)}` : ''}`;
  } else about = `${exchange?.type ?? ''}${speed ? ` · ${speed}` : ''}`;
  const href =
    node.kind === 'queue' ? to('queues', vhost, node.name) : to('exchanges', vhost, node.name || 'amq.default');
  return (
    <a
      class={`node ${node.kind}${lit ? ' lit' : ''}`}
      href={href}
      draggable={false}
      onMouseEnter={() => onOver(node.id)}
      onMouseLeave={() => onOver(null)}
      onFocus={() => onOver(node.id)}
      onBlur={() => onOver(null)}
    >
      <g transform={`translate(${node.x} ${node.y})`}>
        <rect width={NODE_WIDTH} height={NODE_HEIGHT} rx={node.kind === 'exchange' ? NODE_HEIGHT / 2 : 8} />
        <text class="title" x={node.kind === 'exchange' ? 20 : 14} y="19">
          {`${clip(name)} `}
        </text>
        <text class="sub" x={node.kind === 'exchange' ? 20 : 14} y="35">
          {about}
        </text>
      </g>
    </a>
  );
}
