// The ways of messages as a picture.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { seg, type Table } from '../lib/api';
import { count, exchangeName, integer, rate, short } from '../lib/format';
import { flows, width, type Flows } from '../lib/flow';
import { build, exchangeId, NODE_HEIGHT, NODE_WIDTH, type Edge, type Graph, type Node } from '../lib/graph';
import { explain, type Explanation } from '../lib/own';
import { useQueues } from '../lib/queues';
import { setQuery, to, useRoute } from '../lib/route';
import { follow, type Ways } from '../lib/routing';
import { rateOf, type Binding, type Exchange } from '../lib/types';
import { useAnswer } from '../lib/watch';
import { Empty, Field, Loading, Page, Tag } from '../parts/bits';
import { Failure, useAction } from '../parts/dialog';
import { Icon } from '../parts/icon';
import { searcher } from '../parts/table';
import { useVhosts } from '../parts/vhost-select';

export function TopologyPage() {
  const { query } = useRoute();
  const vhosts = useVhosts();
  const vhost = query.get('vhost') ?? (vhosts.includes('/') ? '/' : (vhosts[0] ?? '/'));
  const search = query.get('q') ?? '';
  const start = query.get('exchange');
  const key = query.get('key') ?? '';
  const exchanges = useAnswer<Exchange[]>(`/api/exchanges/${seg(vhost)}`);
  const bindings = useAnswer<Binding[]>(`/api/bindings/${seg(vhost)}`);
  const queues = useQueues();
  const [headers, setHeaders] = useState<{ text: string; table: Table | null }>({ text: '', table: {} });

  const parts = useMemo(() => {
    const own = queues.all.filter((queue) => queue.vhost === vhost);
    return { own, key: own.map((queue) => queue.id).join() };
  }, [queues.version, vhost]);
  const known = exchanges?.status === 200 ? exchanges.body : undefined;
  const bound = bindings?.status === 200 ? bindings.body : undefined;
  const startName = start === 'amq.default' ? '' : start;
  const shape = JSON.stringify([known?.map(({ name }) => name), bound]);
  const graph = useMemo(
    () =>
      known && bound
        ? build({
            exchanges: known,
            queues: parts.own,
            bindings: bound,
            also: startName === null ? [] : [exchangeId(startName)],
            matches: (name) => searcher(search).test(exchangeName(name)),
          })
        : null,
    [shape, parts.key, search, startName],
  );
  const ways = useMemo(
    () =>
      known && bound && startName !== null
        ? follow(
            new Map(known.map((exchange) => [exchange.name, exchange])),
            bound,
            new Set(parts.own.map(({ name }) => name)),
            startName,
            key,
            headers.table ?? {},
          )
        : null,
    [shape, parts.key, startName, key, headers.table],
  );
  const speeds = useMemo(() => {
    const all = new Map<string, string>();
    for (const exchange of known ?? []) {
      const speed = rateOf(exchange.message_stats, 'publish_in');
      if (speed) all.set(exchangeId(exchange.name), rate(speed));
    }
    return all;
  }, [known]);
  const flow = useMemo<Flows>(() => {
    const stats = new Map((known ?? []).map((exchange) => [exchange.name, exchange.message_stats]));
    return graph ? flows(graph, stats) : new Map();
  }, [graph, known, queues.version]);

  return (
    <Page title="Topology" about="How messages find their way: exchanges, bindings, queues, and where dead letters go.">
      <div class="toolbar">
        <label class="search">
          <Icon name="search" />
          <input
            type="search"
            data-search
            placeholder="Search exchanges and queues"
            aria-label="Search exchanges and queues"
            value={search}
            onInput={(event) => setQuery({ q: event.currentTarget.value || null })}
          />
        </label>
        <select
          aria-label="Virtual host"
          value={vhost}
          onChange={(event) => setQuery({ vhost: event.currentTarget.value, exchange: null })}
        >
          {(vhosts.length ? vhosts : [vhost]).map((name) => (
            <option>{name}</option>
          ))}
        </select>
        <span class="grow" />
        <Legend />
      </div>
      <form class="card try" onSubmit={(event) => event.preventDefault()}>
        <div class="row">
          <Field label="A message published to">
            <select
              value={start ?? ''}
              onChange={(event) => setQuery({ exchange: event.currentTarget.value || null })}
            >
              <option value="">choose an exchange…</option>
              {known
                ?.filter((exchange) => !exchange.internal)
                .map(({ name }) => (
                  <option value={name || 'amq.default'}>{exchangeName(name)}</option>
                ))}
            </select>
          </Field>
          <Field label="with the routing key">
            <input
              spellcheck={false}
              autocomplete="off"
              value={key}
              onInput={(event) => setQuery({ key: event.currentTarget.value || null })}
            />
          </Field>
          <Field label="and the headers">
            <input
              spellcheck={false}
              autocomplete="off"
              placeholder='{"channel": "email"}'
              value={headers.text}
              aria-invalid={headers.table === null}
              onInput={(event) => {
                const text = event.currentTarget.value;
                setHeaders({ text, table: parseHeaders(text) });
              }}
            />
          </Field>
        </div>
        {headers.table === null && <p class="muted small">The headers have to be a JSON object.</p>}
        {ways && <Outcome ways={ways} vhost={vhost} />}
        {ways && startName !== null && headers.table && (
          <Ask key={`${vhost} ${startName} ${key} ${headers.text}`} vhost={vhost} exchange={startName} routingKey={key} headers={headers.table} />
        )}
      </form>
      {exchanges && exchanges.status !== 200 ? (
        <Empty title={`You may not see the virtual host “${vhost}”`} />
      ) : !graph || !queues.ready ? (
        <Loading />
      ) : graph.nodes.length === 0 ? (
        <Empty title={search ? `Nothing is called “${search}”` : 'Nothing is bound here yet'}>
          <p>
            Publishers send messages to exchanges; bindings say which queues get them. As soon as there is a queue or an
            exchange of your own in this virtual host, this is a picture of it.
          </p>
        </Empty>
      ) : (
        <Picture graph={graph} ways={ways} vhost={vhost} speeds={speeds} flow={flow} />
      )}
    </Page>
  );
}

function parseHeaders(text: string): Table | null {
  if (!text.trim()) return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : null;
  } catch {
    return null;
  }
}

const Legend = () => (
  <ul class="graph-legend" aria-label="Legend">
    <li>
      <i class="line binding" /> binding
    </li>
    <li>
      <i class="line dead-letter" /> dead letters
    </li>
    <li>
      <i class="line alternate" /> if nothing matches
    </li>
    <li title="Told where one way alone can have brought what comes; the thicker, the more.">
      <i class="line flow" /> messages a second
    </li>
  </ul>
);

function Outcome({ ways, vhost }: { ways: Ways; vhost: string }) {
  return (
    <div class="outcome" role="status">
      <p>
        {ways.queues.length === 0 ? (
          <>
            <b>No queue gets it.</b> It is dropped, or returned if it is mandatory.
          </>
        ) : (
          <>
            <b>{count(ways.queues.length, 'queue gets', 'queues get')} it:</b>{' '}
            {ways.queues.slice(0, 12).map((name, at) => (
              <>
                {at > 0 && ', '}
                <a href={to('queues', vhost, name)}>{name}</a>
              </>
            ))}
            {ways.queues.length > 12 && ` and ${integer(ways.queues.length - 12)} more`}
          </>
        )}
        {ways.alternate && ' Nothing matched on the way, and it went by an alternate exchange.'}
        {ways.unknown.length > 0 && ` What ${ways.unknown.join(', ')} does only the broker can tell: let it explain.`}
      </p>
      {ways.near.length > 0 && (
        <details open={ways.queues.length === 0}>
          <summary>{count(ways.near.length, 'binding nearly matches', 'bindings nearly match')}</summary>
          <ul>
            {ways.near.slice(0, 20).map(({ binding, why }) => (
              <li>
                <code>{binding.routing_key || JSON.stringify(binding.arguments)}</code> to {binding.destination}:{' '}
                <span class="muted">{why}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

/** What the broker itself says, which knows every type of exchange, and what dead letters do. */
function Ask({
  vhost,
  exchange,
  routingKey,
  headers,
}: {
  vhost: string;
  exchange: string;
  routingKey: string;
  headers: Table;
}) {
  const [told, setTold] = useState<Explanation | null>(null);
  const { busy, error, run } = useAction();
  const ask = () => run(async () => setTold(await explain(vhost, exchange, routingKey, headers)));
  return (
    <div class="outcome">
      {!told && (
        <div>
          <button type="button" disabled={busy} onClick={() => void ask()}>
            Explain it
          </button>
        </div>
      )}
      <Failure error={error} />
      {told && <pre tabIndex={0}>{told.text}</pre>}
    </div>
  );
}

interface View {
  x: number;
  y: number;
  scale: number;
}

const MARGIN = 28;
const SCALE_MAX = 2;

function Picture({
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
  const labels = graph.edges.length <= 40;

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
                label={labels || touches(edge) || lit(edge)}
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

function pathOf({ from, to }: Edge): { path: string; x: number; y: number } {
  const [x1, y1] = [from.x + NODE_WIDTH, from.y + NODE_HEIGHT / 2];
  const [x2, y2] = [to.x - 2, to.y + NODE_HEIGHT / 2];
  if (to.layer > from.layer) {
    const bend = Math.max((x2 - x1) / 2, 40);
    return { path: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, x: (x1 + x2) / 2, y: (y1 + y2) / 2 };
  }
  // One that leads back goes around below.
  const low = Math.max(from.y, to.y) + NODE_HEIGHT + 26;
  const path = `M${x1} ${y1}C${x1 + 70} ${y1} ${x1 + 40} ${low} ${x1 - NODE_WIDTH / 2} ${low}L${x2 + NODE_WIDTH / 2} ${low}C${x2 - 40} ${low} ${x2 - 70} ${y2} ${x2} ${y2}`;
  return { path, x: (x1 + x2) / 2, y: low };
}

const LABEL = 22;

function labelOf({ kind, bindings }: Edge): string {
  if (kind !== 'binding') return '';
  const keys = bindings.map((binding) => {
    if (binding.routing_key) return binding.routing_key;
    const args = Object.entries(binding.arguments).filter(([name]) => name !== 'x-match');
    return args.map(([name, value]) => `${name}=${String(value)}`).join(' ');
  });
  const text = keys.filter(Boolean).slice(0, 2).join(', ') + (keys.length > 2 ? ` +${keys.length - 2}` : '');
  return text.length > LABEL ? `${text.slice(0, LABEL - 1)}…` : text;
}

function EdgeView({
  edge,
  lit,
  label,
  near,
  flow,
}: {
  edge: Edge;
  lit: boolean;
  label: boolean;
  near: boolean;
  flow: number;
}) {
  const { path, x, y } = pathOf(edge);
  const text = label ? labelOf(edge) : '';
  const kind = lit ? 'lit' : edge.kind;
  const keys = edge.bindings.map((binding) => binding.routing_key).filter(Boolean);
  const about = flow > 0 ? [`${flow.toFixed(1)} messages a second`, ...keys] : keys;
  return (
    <g class={`edge ${edge.kind}${lit ? ' lit' : ''}${near ? ' near' : ''}${flow > 0 ? ' flows' : ''}`}>
      <path d={path} marker-end={`url(#arrow-${kind})`} style={flow > 0 && !lit ? { strokeWidth: width(flow) } : undefined}>
        <title>{about.join('\n')}</title>
      </path>
      {text && (
        <text x={x} y={y - 6} text-anchor="middle">
          {text}
        </text>
      )}
      {label && flow > 0 && (
        <text class="rate" x={x} y={y + 13} text-anchor="middle">
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
