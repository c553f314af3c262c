// All connections, and one of them.
import { useState } from 'preact/hooks';
import { call, seg } from '../lib/api';
import { useCurves } from '../lib/curves';
import { bytes, count } from '../lib/format';
import { go, to } from '../lib/route';
import type { Channel, Connection } from '../lib/types';
import { brokerNow, peek, refresh, useAnswer } from '../lib/watch';
import { Bytes, Empty, Fact, Facts, Figure, Loading, Num, Page, Tag, valueText, When } from '../parts/bits';
import { Chart } from '../parts/chart';
import { Confirm, tell } from '../parts/dialog';
import { DataTable, type Column } from '../parts/table';
import { ChannelTable } from './channels';

const STATES: Record<string, [string, string]> = {
  running: ['good', 'it moves'],
  blocked: ['bad', 'it has published while memory or disk is short, and waits'],
  blocking: ['warn', 'memory or disk is short: it will wait when it publishes'],
  flow: ['warn', 'it waits a moment for the disk'],
};

const State = ({ state }: { state: string }) => (
  <Tag kind={STATES[state]?.[0] ?? ''} title={STATES[state]?.[1] ?? ''}>
    {state}
  </Tag>
);

const speed = (value: number | undefined) =>
  value ? <span title={`${value.toFixed(1)} octets per second`}>{bytes(value)}/s</span> : <span class="faint">0 B/s</span>;

const product = (connection: Connection) =>
  [connection.client_properties['product'], connection.client_properties['version']].filter(Boolean).map(String).join(' ');

const COLUMNS: Column<Connection>[] = [
  {
    id: 'name',
    title: 'Name',
    value: (connection) => connection.user_provided_name || connection.name,
    width: 'minmax(13rem, 2fr)',
    phone: true,
  },
  {
    id: 'peer',
    title: 'From',
    value: (connection) => `${connection.peer_host ?? ''}:${connection.peer_port ?? ''}`,
    cell: ({ peer_host, peer_port }) => (peer_host ? `${peer_host}:${peer_port}` : 'this process'),
    width: '10rem',
  },
  { id: 'user', title: 'User', value: (connection) => connection.user, width: '6rem' },
  { id: 'vhost', title: 'Virtual host', value: (connection) => connection.vhost, width: '6.5rem' },
  { id: 'client', title: 'Client', value: product, hidden: true },
  {
    id: 'state',
    title: 'State',
    value: (connection) => connection.state,
    cell: ({ state }) => <State state={state} />,
    width: '6rem',
  },
  {
    id: 'channels',
    title: 'Channels',
    number: true,
    phone: true,
    value: (connection) => connection.channels,
    cell: ({ channels }) => <Num value={channels} />,
    width: '5.5rem',
  },
  {
    id: 'recv',
    title: 'From it',
    number: true,
    value: (connection) => connection.recv_oct_details?.rate ?? 0,
    cell: (connection) => speed(connection.recv_oct_details?.rate),
    width: '6rem',
  },
  {
    id: 'send',
    title: 'To it',
    number: true,
    value: (connection) => connection.send_oct_details?.rate ?? 0,
    cell: (connection) => speed(connection.send_oct_details?.rate),
    width: '6rem',
  },
  {
    id: 'since',
    title: 'Since',
    value: (connection) => connection.connected_at,
    cell: ({ connected_at }) => <When at={connected_at} now={brokerNow()} />,
    width: '9rem',
    hidden: true,
  },
];

const ADDRESS = `/api/connections?columns=${[
  'name',
  'user_provided_name',
  'user',
  'vhost',
  'state',
  'channels',
  'peer_host',
  'peer_port',
  'connected_at',
  'client_properties.product',
  'client_properties.version',
  'recv_oct_details',
  'send_oct_details',
].join(',')}`;

const NONE: Connection[] = [];

export function ConnectionsPage() {
  const answer = useAnswer<Connection[]>(ADDRESS);
  const [doomed, setDoomed] = useState<{ rows: Connection[]; clear: () => void } | null>(null);
  return (
    <Page title="Connections">
      <DataTable
        id="connections"
        label="connections"
        columns={COLUMNS}
        rows={answer?.body ?? NONE}
        loading={!answer}
        rowKey={(connection) => connection.name}
        text={(connection) => `${connection.name} ${connection.user_provided_name} ${connection.user}`}
        href={(connection) => to('connections', connection.name)}
        sort="name"
        actions={(rows, clear) => (
          <button class="danger" onClick={() => setDoomed({ rows, clear })}>
            Close {rows.length}
          </button>
        )}
        empty={
          <Empty title="Nobody is connected">
            <p>
              Clients connect by AMQP 0-9-1, usually on port 5672. With permissions and a password, any RabbitMQ client
              will do. A client that names its connection is found here by that name.
            </p>
          </Empty>
        }
      />
      {doomed && (
        <Confirm
          title={`Close ${count(doomed.rows.length, 'connection')}`}
          word={count(doomed.rows.length, 'connection')}
          action="Close them"
          onClose={() => setDoomed(null)}
          onConfirm={async () => {
            for (const { name } of doomed.rows) {
              await call('DELETE', `api/connections/${seg(name)}`).catch(() => null);
            }
            doomed.clear();
            refresh();
            tell(`${count(doomed.rows.length, 'connection')} closed.`);
          }}
        >
          <p>Their clients are told, and what they have not acknowledged goes back to the queues.</p>
        </Confirm>
      )}
    </Page>
  );
}

export function ConnectionPage({ name }: { name: string }) {
  const path = `api/connections/${seg(name)}`;
  const answer = useAnswer<Connection>(`/${path}`);
  const channels = useAnswer<Channel[]>(`/${path}/channels`);
  const [doom, setDoom] = useState(false);
  const curves = useCurves(null, 'minute', () => {
    const now = peek<Connection>(`/${path}`);
    return now?.status === 200 ? { in: now.body.recv_oct, out: now.body.send_oct } : null;
  });
  if (!answer) return <Loading />;
  if (answer.status !== 200) {
    return (
      <Empty whole title="This connection has ended">
        <p>
          <a href="#/connections">All connections</a>
        </p>
      </Empty>
    );
  }
  const connection = answer.body;
  const { capabilities: _, ...properties } = connection.client_properties;
  return (
    <Page
      title={connection.user_provided_name || name}
      crumbs={<a href="#/connections">Connections</a>}
      about={
        <span class="tags">
          <State state={connection.state} />
          <span>
            {connection.user} in <a href={to('vhosts', connection.vhost)}>{connection.vhost}</a>, connected{' '}
            <When at={connection.connected_at} now={brokerNow()} />
          </span>
        </span>
      }
      actions={
        <button class="danger" onClick={() => setDoom(true)}>
          Close
        </button>
      }
    >
      <section class="figures" aria-label="Figures">
        <Figure label="From the client" colour="publish">
          <Bytes value={connection.recv_oct} />
        </Figure>
        <Figure label="To the client" colour="deliver">
          <Bytes value={connection.send_oct} />
        </Figure>
        <Figure label="Waits to be sent">
          <Bytes value={connection.send_pend} />
        </Figure>
        <Figure label="Channels">
          <Num value={connection.channels} />
        </Figure>
      </section>
      <section class="charts">
        <Chart
          title="Octets per second"
          times={curves.times}
          unit="bytes"
          lines={[
            { label: 'from the client', colour: 'publish', values: curves.rate('in'), fill: true },
            { label: 'to the client', colour: 'deliver', values: curves.rate('out') },
          ]}
        />
      </section>
      <section class="card">
          <Facts>
            <Fact name="Name">{name}</Fact>
            <Fact name="Protocol">{connection.protocol}</Fact>
            <Fact name="Login">{connection.auth_mechanism || 'none'}</Fact>
            <Fact name="TLS">{connection.ssl ? 'yes' : 'no'}</Fact>
            <Fact name="Heartbeat">{connection.timeout ? `${connection.timeout} s` : 'none'}</Fact>
            <Fact name="Largest frame">{bytes(connection.frame_max)}</Fact>
            <Fact name="Channels at most">{connection.channel_max || 'no limit'}</Fact>
            {Object.entries(properties).map(([name, value]) => (
              <Fact name={name.replace('_', ' ')}>{valueText(value)}</Fact>
            ))}
          </Facts>
      </section>
      <h2>Channels</h2>
      <ChannelTable id="connection-channels" rows={channels?.status === 200 ? channels.body : []} inline />
      {doom && (
        <Confirm
          title="Close the connection"
          word="close"
          action="Close it"
          onClose={() => setDoom(false)}
          onConfirm={async () => {
            await call('DELETE', path);
            refresh();
            tell('The connection is closed.');
            go('#/connections');
          }}
        >
          <p>
            The client of {connection.user} is told with 320 CONNECTION_FORCED. What it has not acknowledged goes back
            to the queues; most clients connect again by themselves.
          </p>
        </Confirm>
      )}
    </Page>
  );
}
