// Consumers, of a queue, of a channel, or all.
import { Arguments, Empty, Num, Tag } from './bits';
import type { ConsumerDetail } from '../lib/types';
import { channelName } from '../lib/format';
import { to } from '../lib/route';
import { DataTable, type Column } from './table';

const STATUS: Record<string, string> = {
  up: 'takes turns with the others',
  single_active: 'the only one that gets messages',
  waiting: 'waits for the active one to go',
};

const COLUMNS: Column<ConsumerDetail>[] = [
  { id: 'tag', title: 'Consumer tag', value: (consumer) => consumer.consumer_tag, width: 'minmax(10rem, 1.4fr)', phone: true },
  {
    id: 'queue',
    title: 'Queue',
    value: (consumer) => consumer.queue.name,
    cell: ({ queue }) => <a href={to('queues', queue.vhost, queue.name)}>{queue.name}</a>,
    phone: true,
  },
  {
    id: 'channel',
    title: 'Channel',
    value: (consumer) => consumer.channel_details.name ?? '',
    cell: ({ channel_details: { name } }) => (name ? <a href={to('channels', name)}>{channelName(name)}</a> : <span class="faint">gone</span>),
    width: 'minmax(10rem, 1.6fr)',
  },
  { id: 'user', title: 'User', value: (consumer) => consumer.channel_details.user ?? '', width: '7rem' },
  {
    id: 'status',
    title: 'Activity',
    value: (consumer) => consumer.activity_status,
    cell: ({ activity_status: status }) => (
      <Tag kind={status === 'waiting' ? 'warn' : 'good'} title={STATUS[status] ?? ''}>
        {status.replace('_', ' ')}
      </Tag>
    ),
    width: '8rem',
  },
  {
    id: 'ack',
    title: 'Acks',
    value: (consumer) => (consumer.ack_required ? 'wanted' : 'not'),
    cell: ({ ack_required: wanted }) => (wanted ? 'yes' : <Tag kind="warn" title="a message counts as dealt with when it is sent">no ack</Tag>),
    width: '5.5rem',
  },
  {
    id: 'prefetch',
    title: 'Prefetch',
    number: true,
    value: (consumer) => consumer.prefetch_count || Infinity,
    cell: ({ prefetch_count: prefetch }) => (prefetch ? <Num value={prefetch} /> : <span class="faint">no limit</span>),
  },
  { id: 'arguments', title: 'Arguments', value: (consumer) => Object.keys(consumer.arguments).length, cell: (consumer) => <Arguments of={consumer.arguments} />, hidden: true },
];

export function Consumers({
  rows,
  id,
  inline,
  without,
  loading,
}: {
  rows: ConsumerDetail[];
  id: string;
  inline?: boolean;
  without?: string;
  loading?: boolean;
}) {
  return (
    <DataTable
      id={id}
      label="consumers"
      columns={COLUMNS.filter((column) => column.id !== without)}
      rows={rows}
      loading={loading ?? false}
      rowKey={(consumer) => `${consumer.channel_details.name} ${consumer.consumer_tag}`}
      text={(consumer) => `${consumer.consumer_tag} ${consumer.queue.name} ${consumer.channel_details.name ?? ''}`}
      sort="tag"
      inline={inline ?? false}
      empty={
        <Empty title="No consumer">
          <p>
            A consumer is a client that wants the messages of a queue as they come (basic.consume). Without one,
            messages stay in the queue until somebody gets them.
          </p>
        </Empty>
      }
    />
  );
}
