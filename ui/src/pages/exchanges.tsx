// All exchanges, and one of them.
import { useState } from 'preact/hooks';
import { call, exchangeSeg, seg } from '../lib/api';
import { useCurves, type Range } from '../lib/curves';
import { exchangeName } from '../lib/format';
import { go, setQuery, to, useRoute } from '../lib/route';
import { rateOf, total, type Binding, type Exchange } from '../lib/types';
import { peek, refresh, useAnswer } from '../lib/watch';
import { Bind, Bindings } from '../parts/bindings';
import { Arguments, Empty, Fact, Facts, Figure, Loading, Num, Page, Rate, Tabs, Tag } from '../parts/bits';
import { Chart } from '../parts/chart';
import { DelayedMessages } from '../parts/delayed';
import { Confirm, tell } from '../parts/dialog';
import { Icon } from '../parts/icon';
import { NewExchange } from '../parts/new-exchange';
import { Publish } from '../parts/publish';
import { Ranges } from '../parts/ranges';
import { DataTable, type Column } from '../parts/table';

const COLUMNS: Column<Exchange>[] = [
  { id: 'name', title: 'Name', value: (exchange) => exchangeName(exchange.name), width: 'minmax(12rem, 2fr)', phone: true },
  { id: 'vhost', title: 'Virtual host', value: (exchange) => exchange.vhost, width: '7rem' },
  { id: 'type', title: 'Type', value: (exchange) => exchange.type, width: '8rem' },
  {
    id: 'features',
    title: 'Features',
    value: (exchange) => Object.keys(exchange.arguments).length,
    width: 'minmax(9rem, 1.2fr)',
    cell: (exchange) => (
      <span class="tags">
        {exchange.durable && <Tag title="durable: survives a restart">D</Tag>}
        {exchange.auto_delete && <Tag title="auto-delete: goes with its last binding">AD</Tag>}
        {exchange.internal && <Tag title="internal: takes messages of exchanges only">I</Tag>}
        {'alternate-exchange' in exchange.arguments && <Tag title="has an alternate exchange">AE</Tag>}
        {exchange.policy && <Tag kind="accent">{exchange.policy}</Tag>}
      </span>
    ),
  },
  {
    id: 'in',
    title: 'In',
    number: true,
    phone: true,
    hint: 'messages that are published to it, per second',
    value: (exchange) => rateOf(exchange.message_stats, 'publish_in'),
    cell: (exchange) => <Rate value={rateOf(exchange.message_stats, 'publish_in')} />,
  },
  {
    id: 'out',
    title: 'Out',
    number: true,
    phone: true,
    hint: 'queues that get them, one by one, per second',
    value: (exchange) => rateOf(exchange.message_stats, 'publish_out'),
    cell: (exchange) => <Rate value={rateOf(exchange.message_stats, 'publish_out')} />,
  },
  {
    id: 'total',
    title: 'All in',
    number: true,
    hidden: true,
    value: (exchange) => total(exchange.message_stats, 'publish_in'),
    cell: (exchange) => <Num value={total(exchange.message_stats, 'publish_in')} />,
  },
];

const NONE: Exchange[] = [];

export function ExchangesPage() {
  const answer = useAnswer<Exchange[]>('/api/exchanges');
  const making = useRoute().query.has('new');
  return (
    <Page
      title="Exchanges"
      actions={
        <button class="primary" onClick={() => setQuery({ new: '1' })}>
          <Icon name="plus" /> New exchange
        </button>
      }
    >
      <DataTable
        id="exchanges"
        label="exchanges"
        columns={COLUMNS}
        rows={answer?.body ?? NONE}
        loading={!answer}
        rowKey={(exchange) => `${exchange.vhost} ${exchange.name}`}
        text={(exchange) => exchangeName(exchange.name)}
        href={(exchange) => to('exchanges', exchange.vhost, exchange.name || 'amq.default')}
        sort="name"
        empty={
          <Empty title="There is no exchange that you may see">
            <p>Ask an administrator for permissions in a virtual host.</p>
          </Empty>
        }
      />
      {making && <NewExchange onClose={() => setQuery({ new: null })} />}
    </Page>
  );
}

const ABOUT: Record<string, string> = {
  direct: 'A message goes to whatever is bound with just its routing key.',
  fanout: 'A message goes to everything that is bound, whatever its routing key.',
  topic: 'A message goes to whatever is bound with a pattern that its routing key fits: * is one word, # any number.',
  headers: 'A message goes to whatever is bound with headers that it has.',
  'x-delayed-message': 'A message is kept for as long as its header x-delay says, in milliseconds, before it is routed.',
  'x-consistent-hash': 'Each routing key goes to one of those that are bound; binding keys are weights.',
};

export function ExchangePage({ vhost, name }: { vhost: string; name: string }) {
  const path = `api/exchanges/${seg(vhost)}/${exchangeSeg(name)}`;
  const answer = useAnswer<Exchange>(`/${path}`);
  const out = useAnswer<Binding[]>(`/${path}/bindings/source`);
  const into = useAnswer<Binding[]>(`/${path}/bindings/destination`);
  const tab = useRoute().query.get('tab') ?? 'now';
  const [doom, setDoom] = useState(false);
  if (!answer) return <Loading />;
  if (answer.status !== 200) {
    return (
      <Empty whole title={`There is no exchange “${exchangeName(name)}” that you may see`}>
        <p>
          <a href="#/exchanges">All exchanges</a>
        </p>
      </Empty>
    );
  }
  const exchange = answer.body;
  const leads = out?.status === 200 ? out.body : [];
  const comes = into?.status === 200 ? into.body : [];
  const isBuiltIn = name === '' || name.startsWith('amq.');
  const tabs = [
    { id: 'now', title: 'Now' },
    { id: 'out', title: <>Leads to <small>{leads.length}</small></> },
    { id: 'in', title: <>Gets from <small>{comes.length}</small></> },
    ...(exchange.type === 'x-delayed-message' ? [{ id: 'delayed', title: 'Delayed' }] : []),
    ...(exchange.internal ? [] : [{ id: 'publish', title: 'Publish' }]),
  ];
  return (
    <Page
      title={exchangeName(name)}
      crumbs={<a href="#/exchanges">Exchanges</a>}
      about={
        <span class="tags">
          <Tag>{exchange.type}</Tag>
          <span class="muted">
            in <a href={to('vhosts', vhost)}>{vhost}</a>
          </span>
          {exchange.durable ? <Tag>durable</Tag> : <Tag kind="warn">transient</Tag>}
          {exchange.auto_delete && <Tag>auto-delete</Tag>}
          {exchange.internal && <Tag>internal</Tag>}
        </span>
      }
      actions={
        <>
          <a class="button" href={`#/topology?vhost=${seg(vhost)}&exchange=${exchangeSeg(name)}`}>
            <Icon name="topology" /> See its ways
          </a>
          {!isBuiltIn && (
            <button class="danger" onClick={() => setDoom(true)}>
              Delete
            </button>
          )}
        </>
      }
    >
      <Tabs tabs={tabs} active={tab} onChoose={(id) => setQuery({ tab: id === 'now' ? null : id })} />
      {tab === 'now' && <Now exchange={exchange} path={path} />}
      {tab === 'out' && (
        <>
          <section class="card">
            {name === '' ? (
              <p class="muted">Every queue is bound to it with its own name, and nothing else can be.</p>
            ) : (
              <Bindings bindings={leads} side="to" />
            )}
          </section>
          {name !== '' && <Bind vhost={vhost} source={name} type="queue" />}
        </>
      )}
      {tab === 'in' && (
        <>
          <section class="card">
            <Bindings bindings={comes} side="from" />
          </section>
          {name !== '' && <Bind vhost={vhost} destination={name} type="exchange" />}
        </>
      )}
      {tab === 'delayed' && <DelayedMessages vhost={vhost} name={name} />}
      {tab === 'publish' && (
        <section class="card">
          <Publish vhost={vhost} exchange={name} />
        </section>
      )}
      {doom && (
        <Confirm
          title={`Delete ${name}`}
          word={name}
          action="Delete the exchange"
          onClose={() => setDoom(false)}
          onConfirm={async () => {
            await call('DELETE', path);
            refresh();
            tell(`The exchange “${name}” is deleted.`);
            go('#/exchanges');
          }}
        >
          <p>
            The exchange goes with its bindings. Whoever publishes to it then has its channel closed with 404.
          </p>
        </Confirm>
      )}
    </Page>
  );
}

function Now({ exchange, path }: { exchange: Exchange; path: string }) {
  const [range, setRange] = useState<Range>('minute');
  const history = `api/leveret/history/${path.slice('api/'.length)}`;
  const curves = useCurves(history, range, () => {
    const answer = peek<Exchange>(`/${path}`);
    if (answer?.status !== 200) return null;
    const stats = answer.body.message_stats;
    return { publish_in: total(stats, 'publish_in'), publish_out: total(stats, 'publish_out') };
  });
  return (
    <>
      <p class="muted">{ABOUT[exchange.type] ?? ''}</p>
      <section class="figures" aria-label="Figures">
        <Figure label="In" colour="publish">
          <Rate value={rateOf(exchange.message_stats, 'publish_in')} />
        </Figure>
        <Figure label="Out" colour="deliver">
          <Rate value={rateOf(exchange.message_stats, 'publish_out')} />
        </Figure>
        <Figure label="All in">
          <Num value={total(exchange.message_stats, 'publish_in')} />
        </Figure>
        <Figure label="All out">
          <Num value={total(exchange.message_stats, 'publish_out')} />
        </Figure>
      </section>
      <Ranges range={range} only={['minute', 'hour']} onChoose={setRange} />
      <section class="charts">
        <Chart
          title="Messages per second"
          times={curves.times}
          unit="rate"
          lines={[
            { label: 'in', colour: 'publish', values: curves.rate('publish_in'), fill: true },
            { label: 'out', colour: 'deliver', values: curves.rate('publish_out') },
          ]}
        />
      </section>
      <section class="card">
        <Facts>
          <Fact name="Arguments">
            <Arguments of={exchange.arguments} />
          </Fact>
          <Fact name="Policy">
            {exchange.policy ? <Tag kind="accent">{exchange.policy}</Tag> : <span class="faint">none</span>}
          </Fact>
          {exchange.user_who_performed_action && (
            <Fact name="Declared by">
              {exchange.user_who_performed_action === 'rmq-internal' ? 'the broker' : exchange.user_who_performed_action}
            </Fact>
          )}
        </Facts>
      </section>
    </>
  );
}
