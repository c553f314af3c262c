// Federation: which links bring messages from brokers upstream, and how they fare.
import { call, seg } from '../lib/api';
import { setQuery, useRoute } from '../lib/route';
import { may } from '../lib/session';
import { refresh, useAnswer } from '../lib/watch';
import { Empty, Num, Page, Tabs, Tag } from '../parts/bits';
import { Failure, tell, useAction } from '../parts/dialog';
import { Icon } from '../parts/icon';
import { DataTable, type Column } from '../parts/table';
import { Upstreams } from '../parts/upstreams';

interface Link {
  node: string;
  id: string;
  vhost: string;
  type: 'exchange' | 'queue';
  queue?: string;
  upstream_queue?: string;
  exchange?: string;
  upstream_exchange?: string;
  upstream: string;
  uri?: string;
  status: 'starting' | 'running' | 'error';
  received: number;
  error?: string;
  last_error?: string;
  last_error_at?: string;
}

const KINDS = { running: 'good', starting: 'warn', error: 'bad' } as const;

const here = ({ exchange, queue }: Link) => exchange ?? queue ?? '';
const there = ({ upstream_exchange, upstream_queue }: Link) => upstream_exchange ?? upstream_queue ?? '';

/** What is wrong with it, if anything is. */
const trouble = ({ error, last_error, last_error_at }: Link) =>
  error ?? (last_error ? `last trouble ${last_error_at ?? ''} UTC: ${last_error}` : '');

const columns: Column<Link>[] = [
  { id: 'name', title: 'Here', value: here, cell: (link) => <b>{here(link)}</b>, width: 'minmax(8rem, 1fr)', phone: true },
  { id: 'type', title: 'Which is', value: ({ type }) => type, cell: ({ type }) => <Tag>{type}</Tag>, width: '6.75rem' },
  { id: 'vhost', title: 'Virtual host', value: ({ vhost }) => vhost, width: '6.5rem' },
  { id: 'status', title: 'State', value: ({ status }) => status, cell: (link) => <Tag kind={KINDS[link.status]} title={trouble(link)}>{link.status}</Tag>, width: '6rem', phone: true },
  { id: 'upstream', title: 'Upstream', value: ({ upstream }) => upstream, width: 'minmax(7rem, 1fr)' },
  { id: 'there', title: 'There', value: there, cell: (link) => <b title={link.uri}>{there(link)}</b>, width: 'minmax(8rem, 1fr)' },
  { id: 'uri', title: 'Where', value: ({ uri = '' }) => uri, cell: ({ uri }) => <span title={uri}>{uri}</span>, width: 'minmax(8rem, 1fr)', hidden: true },
  { id: 'received', title: 'Received', number: true, value: ({ received }) => received, cell: ({ received }) => <Num value={received} />, width: '6rem' },
  { id: 'trouble', title: 'What is wrong', value: trouble, cell: (link) => <span title={trouble(link)}>{trouble(link)}</span>, width: 'minmax(8rem, 1.5fr)' },
];

const NONE: Link[] = [];

export function FederationPage() {
  const { query } = useRoute();
  const tab = !may.monitor() || (query.get('tab') === 'upstreams' && may.setPolicies()) ? 'upstreams' : 'links';
  const tabs = [
    ...(may.monitor() ? [{ id: 'links', title: 'Links' }] : []),
    ...(may.setPolicies() ? [{ id: 'upstreams', title: 'Upstreams' }] : []),
  ];
  if (!tabs.length) return <Empty whole title="You may not see links of federation" />;
  return (
    <Page
      title="Federation"
      about="Each link brings messages from an exchange or a queue of a broker upstream to one here."
      actions={
        may.setPolicies() && (
          <button class="primary" onClick={() => setQuery({ tab: 'upstreams', new: '1' })}>
            <Icon name="plus" /> New upstream
          </button>
        )
      }
    >
      <Tabs tabs={tabs} active={tab} onChoose={(id) => setQuery({ tab: id === 'links' ? null : id })} />
      {tab === 'links' ? <Links /> : <Upstreams />}
    </Page>
  );
}

function Links() {
  const answer = useAnswer<Link[]>('/api/federation-links');
  const { error, run } = useAction();
  const restart = (links: Link[], clear: () => void) =>
    run(async () => {
      for (const { vhost, id, node } of links) {
        await call('DELETE', `api/federation-links/vhost/${seg(vhost)}/${seg(id)}/${seg(node)}/restart`);
      }
      refresh();
      tell('They connect anew.');
      clear();
    });
  return (
    <>
      <Failure error={error} />
      <DataTable
        id="federation"
        label="links"
        columns={columns}
        rows={answer?.status === 200 ? answer.body : NONE}
        loading={!answer}
        rowKey={({ vhost, id }) => `${vhost} ${id}`}
        text={(link) => `${here(link)} ${there(link)} ${link.upstream} ${link.uri ?? ''}`}
        sort="name"
        actions={may.setPolicies() ? (selected, clear) => <button onClick={() => void restart(selected, clear)}>Restart</button> : undefined}
        empty={
          <Empty title="No link brings anything">
            <p>
              Links are there while a policy with <code>federation-upstream</code> or <code>federation-upstream-set</code> applies to an
              exchange or a queue, and there is an upstream, which says where the other broker is.
            </p>
          </Empty>
        }
      />
    </>
  );
}
