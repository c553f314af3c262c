// All queues.
import { useMemo, useState } from 'preact/hooks';
import { call, seg } from '../lib/api';
import { count } from '../lib/format';
import { useQueues, refreshQueues, type Queue } from '../lib/queues';
import { setQuery, to, useRoute } from '../lib/route';
import { Bytes, Empty, Num, Page, Rate, Tag, valueText } from '../parts/bits';
import { Confirm, tell } from '../parts/dialog';
import { Icon } from '../parts/icon';
import { NewQueue } from '../parts/new-queue';
import { DataTable, type Column } from '../parts/table';

/** Arguments that say what a queue does, in few letters. */
const SHORT: Record<string, string> = {
  'x-message-ttl': 'TTL',
  'x-expires': 'Exp',
  'x-max-length': 'Lim',
  'x-max-length-bytes': 'Lim B',
  'x-dead-letter-exchange': 'DLX',
  'x-dead-letter-routing-key': 'DLK',
  'x-max-priority': 'Pri',
  'x-single-active-consumer': 'SAC',
  'x-overflow': 'Ovfl',
  'x-delivery-limit': 'Tries',
};

export function Features({ queue }: { queue: Pick<Queue, 'durable' | 'auto_delete' | 'exclusive' | 'arguments' | 'policy'> }) {
  return (
    <span class="tags">
      {queue.durable && <Tag title="durable: survives a restart">D</Tag>}
      {queue.auto_delete && <Tag title="auto-delete: goes with its last consumer">AD</Tag>}
      {queue.exclusive && <Tag title="exclusive: belongs to one connection">Excl</Tag>}
      {Object.entries(queue.arguments).map(
        ([name, value]) => SHORT[name] && <Tag title={`${name}: ${valueText(value)}`}>{SHORT[name]}</Tag>,
      )}
      {queue.policy && (
        <Tag kind="accent" title={`policy ${queue.policy}`}>
          {queue.policy}
        </Tag>
      )}
    </span>
  );
}

const figure = (id: string, title: string, more: Partial<Column<Queue>> = {}): Column<Queue> => ({
  id,
  title,
  number: true,
  value: (queue) => queue.figures[id] ?? 0,
  cell: (queue) => <Num value={queue.figures[id] ?? 0} />,
  ...more,
});

const speed = (id: string, title: string, more: Partial<Column<Queue>> = {}): Column<Queue> => ({
  id: `${id}_rate`,
  title,
  number: true,
  value: (queue) => queue.rates[id] ?? 0,
  cell: (queue) => <Rate value={queue.rates[id] ?? 0} />,
  ...more,
});

const COLUMNS: Column<Queue>[] = [
  {
    id: 'name',
    title: 'Name',
    value: (queue) => queue.name,
    cell: (queue) => queue.name || <i>(empty name)</i>,
    width: 'minmax(9rem, 2fr)',
    phone: true,
  },
  { id: 'vhost', title: 'Virtual host', value: (queue) => queue.vhost, width: '6.5rem' },
  { id: 'type', title: 'Type', value: (queue) => queue.type, width: '5.5rem' },
  {
    id: 'features',
    title: 'Features',
    value: (queue) => Object.keys(queue.arguments).length,
    cell: (queue) => <Features queue={queue} />,
    width: 'minmax(10rem, 1.4fr)',
  },
  {
    id: 'state',
    title: 'State',
    value: (queue) => (queue.figures['held'] ? 'held' : 'running'),
    cell: (queue) => (queue.figures['held'] ? <Tag kind="warn">held</Tag> : <span class="faint">running</span>),
    width: '6rem',
    hidden: true,
  },
  figure('ready', 'Ready', { phone: true }),
  figure('unacked', 'Unacked', { phone: true, width: '5.5rem' }),
  speed('publish', 'In', { hint: 'messages that come, per second' }),
  speed('deliver_get', 'Out', { hint: 'messages that are given out, per second' }),
  speed('ack', 'Acks', { hint: 'acknowledgements per second', hidden: true }),
  speed('redeliver', 'Again', { hint: 'deliveries of what had been delivered before, per second', hidden: true }),
  figure('consumers', 'Consumers', { width: '6.5rem' }),
  figure('memory', 'Memory', { cell: (queue) => <Bytes value={queue.figures['memory'] ?? 0} />, hidden: true }),
  figure('expired', 'Expired', { hidden: true }),
  figure('rejected', 'Rejected', { hidden: true }),
  figure('maxlen', 'Over limit', { hidden: true }),
];

export function QueuesPage() {
  const queues = useQueues();
  const route = useRoute();
  const making = route.query.has('new');
  const rows = useMemo(() => queues.all, [queues.version]);
  const [doomed, setDoomed] = useState<{ queues: Queue[]; action: 'delete' | 'purge'; clear: () => void } | null>(null);
  return (
    <Page
      title="Queues"
      actions={
        <button class="primary" onClick={() => setQuery({ new: '1' })}>
          <Icon name="plus" /> New queue
        </button>
      }
    >
      <DataTable
        id="queues"
        label="queues"
        columns={COLUMNS}
        rows={rows}
        loading={!queues.ready}
        rowKey={(queue) => queue.id}
        text={(queue) => queue.name}
        href={(queue) => to('queues', queue.vhost, queue.name)}
        sort="name"
        actions={(selected, clear) => (
          <>
            <button onClick={() => setDoomed({ queues: selected, action: 'purge', clear })}>
              Purge {selected.length}
            </button>
            <button class="danger" onClick={() => setDoomed({ queues: selected, action: 'delete', clear })}>
              Delete {selected.length}
            </button>
          </>
        )}
        empty={
          <Empty title="There is no queue that you may see">
            <p>
              A queue keeps messages until a consumer has dealt with them. Clients declare the queues that they need;
              you can also make one here, publish a message to it, and look at it.
            </p>
            <button class="primary" onClick={() => setQuery({ new: '1' })}>
              Make a queue
            </button>
          </Empty>
        }
      />
      {making && <NewQueue onClose={() => setQuery({ new: null })} />}
      {doomed && <Doom {...doomed} onClose={() => setDoomed(null)} />}
    </Page>
  );
}

/** Deleting or purging many at once. */
function Doom({
  queues,
  action,
  clear,
  onClose,
}: {
  queues: Queue[];
  action: 'delete' | 'purge';
  clear: () => void;
  onClose: () => void;
}) {
  const messages = queues.reduce((sum, queue) => sum + (queue.figures['ready'] ?? 0), 0);
  const nouns = count(queues.length, 'queue');
  const run = async () => {
    let failed = 0;
    for (const queue of queues) {
      const path = `api/queues/${seg(queue.vhost)}/${seg(queue.name)}`;
      await call('DELETE', action === 'delete' ? path : `${path}/contents`).catch(() => {
        failed += 1;
      });
    }
    clear();
    refreshQueues();
    const done = count(queues.length - failed, 'queue');
    if (failed) tell(`${count(failed, 'queue')} could not be done, ${done} could.`, { bad: true });
    else tell(action === 'delete' ? `${done} deleted.` : `${done} purged.`);
  };
  return (
    <Confirm
      title={action === 'delete' ? `Delete ${nouns}` : `Purge ${nouns}`}
      word={nouns}
      action={action === 'delete' ? 'Delete them' : 'Purge them'}
      onConfirm={run}
      onClose={onClose}
    >
      <p>
        {action === 'delete' ? 'The queues go with all their messages and bindings' : 'Their ready messages go'}:{' '}
        {count(messages, 'ready message')} at this moment. They do not come back.
      </p>
      <ul class="doomed">
        {queues.slice(0, 10).map((queue) => (
          <li>{queue.name}</li>
        ))}
        {queues.length > 10 && <li>and {queues.length - 10} more</li>}
      </ul>
    </Confirm>
  );
}
