// The ways of messages as a picture.
import { useMemo, useState } from 'preact/hooks';
import { seg, type Table } from '../lib/api';
import { count, exchangeName, integer, rate } from '../lib/format';
import { flows, type Flows } from '../lib/flow';
import { build, exchangeId } from '../lib/graph';
import { explain, type Explanation } from '../lib/own';
import { useQueues } from '../lib/queues';
import { setQuery, to, useRoute } from '../lib/route';
import { follow, type Ways } from '../lib/routing';
import { rateOf, type Binding, type Exchange } from '../lib/types';
import { useAnswer } from '../lib/watch';
import { Empty, Field, Loading, Page } from '../parts/bits';
import { Failure, useAction } from '../parts/dialog';
import { Icon } from '../parts/icon';
import { Picture } from '../parts/picture';
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
