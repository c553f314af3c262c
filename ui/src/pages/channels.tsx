// All channels, and one of them.
import { useCurves } from '../lib/curves';
import { channelName } from '../lib/format';
import { to } from '../lib/route';
import { rateOf, total, type Channel } from '../lib/types';
import { peek, useAnswer } from '../lib/watch';
import { Empty, Figure, Loading, Num, Page, Rate, Tag } from '../parts/bits';
import { Chart } from '../parts/chart';
import { Consumers } from '../parts/consumers';
import { DataTable, type Column } from '../parts/table';
import { seg } from '../lib/api';

const mode = (channel: Channel) => (channel.confirm ? 'confirm' : channel.transactional ? 'tx' : '');

const MODES: Record<string, string> = {
  confirm: 'publishes are confirmed',
  tx: 'transactional',
};

const speed = (id: string, title: string, phone = false): Column<Channel> => ({
  id,
  title,
  number: true,
  phone,
  value: (channel) => rateOf(channel.message_stats, id),
  cell: (channel) => <Rate value={rateOf(channel.message_stats, id)} />,
});

const COLUMNS: Column<Channel>[] = [
  { id: 'name', title: 'Name', value: (channel) => channelName(channel.name), width: 'minmax(12rem, 2fr)', phone: true },
  { id: 'user', title: 'User', value: (channel) => channel.user, width: '6rem' },
  { id: 'vhost', title: 'Virtual host', value: (channel) => channel.vhost, width: '6.5rem' },
  {
    id: 'mode',
    title: 'Mode',
    value: mode,
    cell: (channel) => (mode(channel) ? <Tag title={MODES[mode(channel)] ?? ''}>{mode(channel)}</Tag> : ''),
    width: '5.5rem',
  },
  { id: 'consumers', title: 'Consumers', number: true, value: (channel) => channel.consumer_count, width: '6.5rem' },
  {
    id: 'unacked',
    title: 'Unacked',
    number: true,
    phone: true,
    value: (channel) => channel.messages_unacknowledged,
    cell: (channel) => <Num value={channel.messages_unacknowledged} />,
    width: '5.5rem',
  },
  {
    id: 'unconfirmed',
    title: 'Unconfirmed',
    number: true,
    value: (channel) => channel.messages_unconfirmed,
    width: '6.5rem',
    hidden: true,
  },
  {
    id: 'prefetch',
    title: 'Prefetch',
    number: true,
    value: (channel) => channel.prefetch_count || channel.global_prefetch_count || Infinity,
    cell: (channel) => channel.prefetch_count || channel.global_prefetch_count || <span class="faint">no limit</span>,
    width: '5.5rem',
    hidden: true,
  },
  speed('publish', 'In'),
  speed('deliver_get', 'Out'),
  speed('ack', 'Acks'),
];

export function ChannelTable({ rows, id, inline, loading }: { rows: Channel[]; id: string; inline?: boolean; loading?: boolean }) {
  return (
    <DataTable
      id={id}
      label="channels"
      columns={COLUMNS}
      rows={rows}
      loading={loading ?? false}
      rowKey={(channel) => channel.name}
      text={(channel) => `${channel.name} ${channel.user}`}
      href={(channel) => to('channels', channel.name)}
      sort="name"
      inline={inline ?? false}
      empty={
        <Empty title="No channel is open">
          <p>Clients do everything on channels, of which a connection has as many as it needs.</p>
        </Empty>
      }
    />
  );
}

const NONE: Channel[] = [];

export function ChannelsPage() {
  const answer = useAnswer<Channel[]>('/api/channels');
  return (
    <Page title="Channels">
      <ChannelTable id="channels" rows={answer?.body ?? NONE} loading={!answer} />
    </Page>
  );
}

export function ChannelPage({ name }: { name: string }) {
  const path = `/api/channels/${seg(name)}`;
  const answer = useAnswer<Channel>(path);
  const curves = useCurves(null, 'minute', () => {
    const now = peek<Channel>(path);
    if (now?.status !== 200) return null;
    const counted = ['publish', 'deliver_get', 'ack'];
    return Object.fromEntries(counted.map((name) => [name, total(now.body.message_stats, name)]));
  });
  if (!answer) return <Loading />;
  if (answer.status !== 200) {
    return (
      <Empty whole title="This channel is closed">
        <p>
          <a href="#/channels">All channels</a>
        </p>
      </Empty>
    );
  }
  const channel = answer.body;
  return (
    <Page
      title={name}
      crumbs={
        <>
          <a href="#/channels">Channels</a> ·{' '}
          <a href={to('connections', channel.connection_details.name)}>its connection</a>
        </>
      }
      about={
        <span class="tags">
          {mode(channel) && <Tag>{MODES[mode(channel)]}</Tag>}
          <span>
            {channel.user} in <a href={to('vhosts', channel.vhost)}>{channel.vhost}</a>
          </span>
        </span>
      }
    >
      <section class="figures" aria-label="Figures">
        <Figure label="Unacked" colour="unacked">
          <Num value={channel.messages_unacknowledged} />
        </Figure>
        <Figure label="Unconfirmed">
          <Num value={channel.messages_unconfirmed} />
        </Figure>
        <Figure label="Prefetch" note={channel.global_prefetch_count ? 'shared by all its consumers' : 'of each new consumer'}>
          {channel.global_prefetch_count || channel.prefetch_count || 'no limit'}
        </Figure>
        <Figure label="Consumers">
          <Num value={channel.consumer_count} />
        </Figure>
      </section>
      <section class="charts">
        <Chart
          title="Messages per second"
          times={curves.times}
          unit="rate"
          lines={[
            { label: 'published', colour: 'publish', values: curves.rate('publish'), fill: true },
            { label: 'delivered', colour: 'deliver', values: curves.rate('deliver_get') },
            { label: 'acknowledged', colour: 'ack', values: curves.rate('ack') },
          ]}
        />
      </section>
      <h2>Consumers</h2>
      <Consumers id="channel-consumers" rows={channel.consumer_details ?? []} without="channel" inline />
    </Page>
  );
}
