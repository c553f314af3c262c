// The whole broker at a glance.
import { useState } from 'preact/hooks';
import { useCurves, type Range } from '../lib/curves';
import { bytes, duration, integer, short } from '../lib/format';
import { useQueues } from '../lib/queues';
import type { Lints } from '../lib/own';
import { recall, remember } from '../lib/memory';
import { to } from '../lib/route';
import { may } from '../lib/session';
import { total, type NodeFacts, type Overview } from '../lib/types';
import { peek, useAnswer } from '../lib/watch';
import { warnings } from '../lib/warnings';
import { Bytes, Empty, Figure, Loading, Num, Page, Rate } from '../parts/bits';
import { Chart, type Line } from '../parts/chart';
import { Icon } from '../parts/icon';
import { Ranges } from '../parts/ranges';

const COUNTED = [
  'publish',
  'deliver_get',
  'ack',
  'confirm',
  'redeliver',
  'return_unroutable',
  'drop_unroutable',
] as const;

function figures(overview: Overview | undefined): Record<string, number> | null {
  if (!overview) return null;
  const { message_stats: stats, queue_totals: totals } = overview;
  return {
    ...Object.fromEntries(COUNTED.map((name) => [name, total(stats, name)])),
    messages_ready: totals.messages_ready,
    messages_unacknowledged: totals.messages_unacknowledged,
  };
}

const last = (values: (number | null)[]) => values[values.length - 1] ?? 0;

export function OverviewPage() {
  const overview = useAnswer<Overview>('/api/overview')?.body;
  const node = useAnswer<NodeFacts[]>(may.monitor() ? '/api/nodes' : null)?.body?.[0];
  const [range, setRange] = useState<Range>(recall<Range>('overview.range') ?? 'minute');
  const history = may.monitor() ? 'api/leveret/history' : null;
  const curves = useCurves(history, range, () => figures(peek<Overview>('/api/overview')?.body));
  const queues = useQueues();
  const lints = useAnswer<Lints>(may.monitor() ? '/api/leveret/lints' : null);
  if (!overview) return <Loading />;

  const flow: Line[] = [
    { label: 'published', colour: 'publish', values: curves.rate('publish'), fill: true },
    { label: 'delivered', colour: 'deliver', values: curves.rate('deliver_get') },
    { label: 'acknowledged', colour: 'ack', values: curves.rate('ack') },
    { label: 'redelivered', colour: 'redeliver', values: curves.rate('redeliver') },
    {
      label: 'unroutable',
      colour: 'bad',
      values: curves.rate('return_unroutable', 'drop_unroutable'),
    },
  ];
  const held: Line[] = [
    { label: 'ready', colour: 'ready', values: curves.level('messages_ready'), fill: true },
    { label: 'unacknowledged', colour: 'unacked', values: curves.level('messages_unacknowledged') },
  ];
  const objects = overview.object_totals;
  return (
    <Page title="Overview" about={node && <NodeLine node={node} />}>
      <Warnings overview={overview} node={node} queues={queues} lints={lints?.status === 200 ? lints.body : undefined} />
      <section class="figures" aria-label="Figures">
        <Figure label="Published" colour="publish">
          <Rate value={last(flow[0]?.values ?? [])} />
        </Figure>
        <Figure label="Delivered" colour="deliver">
          <Rate value={last(flow[1]?.values ?? [])} />
        </Figure>
        <Figure label="Ready" colour="ready">
          <Num value={overview.queue_totals.messages_ready} />
        </Figure>
        <Figure label="Unacked" colour="unacked">
          <Num value={overview.queue_totals.messages_unacknowledged} />
        </Figure>
        <Figure label="Queues" href={to('queues')}>
          <Num value={objects.queues} />
        </Figure>
        <Figure label="Exchanges" href={to('exchanges')}>
          <Num value={objects.exchanges} />
        </Figure>
        <Figure label="Connections" href={to('connections')}>
          <Num value={objects.connections} />
        </Figure>
        <Figure label="Channels" href={to('channels')}>
          <Num value={objects.channels} />
        </Figure>
        <Figure label="Consumers" href={to('consumers')}>
          <Num value={objects.consumers} />
        </Figure>
        {node && (
          <Figure
            label="Memory"
            note={node.mem_limit ? `of ${bytes(node.mem_limit)} for messages` : 'of messages, no limit'}
          >
            <Bytes value={node.mem_used} />
          </Figure>
        )}
        {node?.disk_free !== undefined && (
          <Figure label="Disk" note="free">
            <Bytes value={node.disk_free} />
          </Figure>
        )}
      </section>
      <Ranges
        range={range}
        only={history ? undefined : ['minute']}
        onChoose={(next) => {
          setRange(next);
          remember('overview.range', next);
        }}
      />
      <section class="charts">
        <Chart title="Messages per second" times={curves.times} lines={flow} unit="rate" height={220} />
        <Chart title="Messages in queues" times={curves.times} lines={held} unit="count" height={220} />
      </section>
      <Busiest queues={queues} />
    </Page>
  );
}

function NodeLine({ node }: { node: NodeFacts }) {
  return (
    <>
      <code>{node.name}</code> · up for <span title={`${integer(node.uptime)} ms`}>{duration(node.uptime)}</span> ·
      process {node.os_pid} · {node.processors} {node.processors === 1 ? 'core' : 'cores'}
    </>
  );
}

function Warnings(of: Parameters<typeof warnings>[0]) {
  const all = warnings(of);
  if (!all.length) {
    return (
      <p class="all-well">
        <i /> Nothing needs your attention.
      </p>
    );
  }
  return (
    <ul class="warnings" aria-label="Warnings">
      {all.map((warning) => (
        <li class={warning.grave ? 'grave' : ''}>
          <Icon name="warning" />
          <div>
            <b>{warning.what}</b> {warning.advice}
            {warning.href && (
              <>
                {' '}
                <a href={warning.href}>{warning.link}</a>
              </>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

function Busiest({ queues }: { queues: ReturnType<typeof useQueues> }) {
  const busy = queues.all
    .map((queue) => ({
      queue,
      moves: (queue.rates['publish'] ?? 0) + (queue.rates['deliver_get'] ?? 0),
      ready: queue.figures['ready'] ?? 0,
    }))
    .filter(({ moves, ready }) => moves || ready)
    .sort((one, other) => other.moves - one.moves || other.ready - one.ready)
    .slice(0, 8);
  if (!queues.ready) return null;
  if (queues.all.length === 0) {
    return (
      <Empty title="No queue yet">
        <p>
          A client declares queues when it connects, or you <a href="#/queues?new=1">make one here</a>. Point any
          AMQP 0-9-1 client at this broker, for example with pika:
        </p>
        <pre>
          {`connection = pika.BlockingConnection(pika.URLParameters("amqp://guest:guest@${location.hostname}:5672/%2F"))
channel = connection.channel()
channel.queue_declare("greetings")
channel.basic_publish("", "greetings", b"hello")`}
        </pre>
      </Empty>
    );
  }
  if (!busy.length) return null;
  return (
    <section class="card">
      <h2>Queues with most to do</h2>
      <table class="plain">
        <thead>
          <tr>
            <th>Queue</th>
            <th class="num">Ready</th>
            <th class="num">Unacked</th>
            <th class="num">In</th>
            <th class="num">Out</th>
            <th class="num not-phone">Consumers</th>
          </tr>
        </thead>
        <tbody>
          {busy.map(({ queue }) => (
            <tr key={queue.id}>
              <td>
                <a href={to('queues', queue.vhost, queue.name)}>{queue.name}</a>{' '}
                {queue.vhost !== '/' && <span class="muted">{queue.vhost}</span>}
              </td>
              <td class="num">{short(queue.figures['ready'] ?? 0)}</td>
              <td class="num">{short(queue.figures['unacked'] ?? 0)}</td>
              <td class="num">
                <Rate value={queue.rates['publish'] ?? 0} />
              </td>
              <td class="num">
                <Rate value={queue.rates['deliver_get'] ?? 0} />
              </td>
              <td class="num not-phone">{queue.figures['consumers']}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
