// One queue.
import { useState } from 'preact/hooks';
import { call, seg } from '../lib/api';
import { useCurves, type Range } from '../lib/curves';
import { bytes, count, rate } from '../lib/format';
import { refreshQueues } from '../lib/queues';
import { go, setQuery, to, useRoute } from '../lib/route';
import { rateOf, total, type Binding, type QueueDetail } from '../lib/types';
import { brokerNow, peek, refresh, useAnswer } from '../lib/watch';
import { Arguments, Bytes, Empty, Fact, Facts, Figure, Loading, Num, Page, Tabs, Tag, When } from '../parts/bits';
import { Bind, Bindings } from '../parts/bindings';
import { Chart } from '../parts/chart';
import { Consumers } from '../parts/consumers';
import { Confirm, tell } from '../parts/dialog';
import { Held, HoldButton } from '../parts/hold';
import { Messages } from '../parts/messages';
import { StreamOffsets } from '../parts/offsets';
import { Publish } from '../parts/publish';
import { Ranges } from '../parts/ranges';

const COUNTED = ['publish', 'deliver_get', 'ack', 'redeliver'];

export function QueuePage({ vhost, name }: { vhost: string; name: string }) {
  const path = `api/queues/${seg(vhost)}/${seg(name)}`;
  const answer = useAnswer<QueueDetail>(`/${path}`);
  const bindings = useAnswer<Binding[]>(`/${path}/bindings`);
  const tab = useRoute().query.get('tab') ?? 'now';
  const [doom, setDoom] = useState<'delete' | 'purge' | null>(null);
  if (!answer) return <Loading />;
  if (answer.status !== 200) return <Gone name={name} status={answer.status} />;
  const queue = answer.body;
  const bound = bindings?.status === 200 ? bindings.body : [];
  const tabs = [
    { id: 'now', title: 'Now' },
    { id: 'messages', title: <>Messages <small>{count(queue.messages_ready, 'ready', 'ready')}</small></> },
    ...(queue.type === 'stream'
      ? [{ id: 'offsets', title: 'Offsets' }]
      : [{ id: 'unacked', title: <>Unacked <small>{queue.messages_unacknowledged}</small></> }]),
    { id: 'consumers', title: <>Consumers <small>{queue.consumers}</small></> },
    { id: 'bindings', title: <>Bindings <small>{bound.length}</small></> },
    { id: 'publish', title: 'Publish' },
  ];
  return (
    <Page
      title={name || <i>(empty name)</i>}
      crumbs={<a href="#/queues">Queues</a>}
      about={<About queue={queue} />}
      actions={
        <>
          <HoldButton queue={queue} />
          {queue.type !== 'stream' && <button onClick={() => setDoom('purge')}>Purge</button>}
          <button class="danger" onClick={() => setDoom('delete')}>
            Delete
          </button>
        </>
      }
    >
      <Tabs tabs={tabs} active={tab} onChoose={(id) => setQuery({ tab: id === 'now' ? null : id })} />
      <Held queue={queue} />
      {tab === 'now' && <Now queue={queue} />}
      {(tab === 'messages' || tab === 'unacked') && <Messages key={tab} queue={queue} what={tab} />}
      {tab === 'offsets' && <StreamOffsets vhost={vhost} name={name} />}
      {tab === 'consumers' && <Consumers id="queue-consumers" rows={queue.consumer_details} without="queue" inline />}
      {tab === 'bindings' && (
        <>
          <section class="card">
            <Bindings bindings={bound} side="from" />
          </section>
          <Bind vhost={vhost} destination={name} type="queue" />
        </>
      )}
      {tab === 'publish' && (
        <section class="card">
          <p class="muted">By the default exchange, which leads to the queue with the routing key as its name.</p>
          <Publish vhost={vhost} exchange="" routingKey={name} />
        </section>
      )}
      {doom && <Doom queue={queue} path={path} action={doom} onClose={() => setDoom(null)} />}
    </Page>
  );
}

function Gone({ name, status }: { name: string; status: number }) {
  return (
    <Empty whole title={status === 404 ? `There is no queue “${name}”` : 'You may not see this queue'}>
      <p>
        {status === 404
          ? 'It was deleted, it went with its connection or its last consumer, or it never was.'
          : 'Ask an administrator for permissions in its virtual host.'}{' '}
        <a href="#/queues">All queues</a>
      </p>
    </Empty>
  );
}

function About({ queue }: { queue: QueueDetail }) {
  return (
    <span class="tags">
      <Tag>{queue.type}</Tag>
      <span class="muted">
        in <a href={to('vhosts', queue.vhost)}>{queue.vhost}</a>
      </span>
      {queue.durable ? <Tag>durable</Tag> : <Tag kind="warn" title="gone after a restart">transient</Tag>}
      {queue.auto_delete && <Tag>auto-delete</Tag>}
      {queue.exclusive && <Tag>exclusive</Tag>}
    </span>
  );
}

function figures(queue: QueueDetail): Record<string, number> {
  return {
    ...Object.fromEntries(COUNTED.map((name) => [name, total(queue.message_stats, name)])),
    messages_ready: queue.messages_ready,
    messages_unacknowledged: queue.messages_unacknowledged,
  };
}

function Now({ queue }: { queue: QueueDetail }) {
  const [range, setRange] = useState<Range>('minute');
  const path = `api/leveret/history/queues/${seg(queue.vhost)}/${seg(queue.name)}`;
  const curves = useCurves(path, range, () => {
    const answer = peek<QueueDetail>(`/api/queues/${seg(queue.vhost)}/${seg(queue.name)}`);
    return answer?.status === 200 ? figures(answer.body) : null;
  });
  const { arguments: args, effective_policy_definition: definition } = queue;
  return (
    <>
      <section class="figures" aria-label="Figures">
        <Figure label="Ready" colour="ready">
          <Num value={queue.messages_ready} />
        </Figure>
        <Figure label="Unacked" colour="unacked">
          <Num value={queue.messages_unacknowledged} />
        </Figure>
        <Figure label="In" colour="publish">
          {rate(rateOf(queue.message_stats, 'publish'))}
        </Figure>
        <Figure label="Out" colour="deliver">
          {rate(rateOf(queue.message_stats, 'deliver_get'))}
        </Figure>
        <Figure label="Acks" colour="ack">
          {rate(rateOf(queue.message_stats, 'ack'))}
        </Figure>
        <Figure label="Consumers" note={queue.consumers ? `ready ${Math.round(queue.consumer_capacity * 100)} % of the time` : undefined}>
          <Num value={queue.consumers} />
        </Figure>
        <Figure label="Bodies" note={`memory ${bytes(queue.memory)}`}>
          <Bytes value={queue.message_bytes} />
        </Figure>
      </section>
      <Ranges range={range} only={['minute', 'hour']} onChoose={setRange} />
      <section class="charts">
        <Chart
          title="Messages per second"
          times={curves.times}
          unit="rate"
          lines={[
            { label: 'in', colour: 'publish', values: curves.rate('publish'), fill: true },
            { label: 'out', colour: 'deliver', values: curves.rate('deliver_get') },
            { label: 'acknowledged', colour: 'ack', values: curves.rate('ack') },
            { label: 'redelivered', colour: 'redeliver', values: curves.rate('redeliver') },
          ]}
        />
        <Chart
          title="Messages in the queue"
          times={curves.times}
          unit="count"
          lines={[
            { label: 'ready', colour: 'ready', values: curves.level('messages_ready'), fill: true },
            { label: 'unacknowledged', colour: 'unacked', values: curves.level('messages_unacknowledged') },
          ]}
        />
      </section>
      <section class="card">
        <Facts>
          <Fact name="Arguments">
            <Arguments of={Object.fromEntries(Object.entries(args).filter(([name]) => name !== 'x-queue-type'))} />
          </Fact>
          <Fact name="Policy">{queue.policy ? <Tag kind="accent">{queue.policy}</Tag> : <span class="faint">none</span>}</Fact>
          {queue.operator_policy && <Fact name="Operator policy">{queue.operator_policy}</Fact>}
          {Object.keys(definition).length > 0 && (
            <Fact name="The policies set">
              <Arguments of={definition} />
            </Fact>
          )}
          <Fact name="Persistent messages">
            <Num value={queue.messages_persistent} />
          </Fact>
          <Fact name="On disk alone">
            <Num value={queue.messages_paged_out} />
          </Fact>
          {queue.head_message_timestamp !== null && (
            <Fact name="Timestamp of the first">
              <When at={queue.head_message_timestamp * 1000} now={brokerNow()} />
            </Fact>
          )}
          {queue.single_active_consumer_tag && <Fact name="Active consumer">{queue.single_active_consumer_tag}</Fact>}
          {queue.owner_pid_details && (
            <Fact name="Belongs to">
              <a href={to('connections', queue.owner_pid_details.name)}>{queue.owner_pid_details.name}</a>
            </Fact>
          )}
        </Facts>
      </section>
    </>
  );
}

function Doom({
  queue,
  path,
  action,
  onClose,
}: {
  queue: QueueDetail;
  path: string;
  action: 'delete' | 'purge';
  onClose: () => void;
}) {
  const run = async () => {
    await call('DELETE', action === 'delete' ? path : `${path}/contents`);
    tell(action === 'delete' ? `The queue “${queue.name}” is deleted.` : `The queue “${queue.name}” is purged.`);
    if (action === 'delete') {
      refreshQueues();
      go('#/queues');
    } else refresh();
  };
  return (
    <Confirm
      title={`${action === 'delete' ? 'Delete' : 'Purge'} ${queue.name}`}
      word={queue.name}
      action={action === 'delete' ? 'Delete the queue' : 'Purge the queue'}
      onConfirm={run}
      onClose={onClose}
    >
      {action === 'delete' ? (
        <p>
          The queue goes with its {count(queue.messages, 'message')} and its bindings
          {queue.consumers > 0 && `; its ${count(queue.consumers, 'consumer')} will be told`}. They do not come back.
        </p>
      ) : (
        <p>
          {count(queue.messages_ready, 'ready message')} will be dropped, and not dead-lettered. What consumers have
          not yet acknowledged stays. It cannot be undone.
        </p>
      )}
    </Confirm>
  );
}
