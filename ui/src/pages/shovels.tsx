// Shovels: who carries messages from one broker, or queue, to another.
import { useState } from 'preact/hooks';
import { call, seg } from '../lib/api';
import { integer } from '../lib/format';
import { setQuery, useRoute } from '../lib/route';
import { may } from '../lib/session';
import { refresh, useAnswer } from '../lib/watch';
import { Empty, Field, Num, Page, Tag } from '../parts/bits';
import { Confirm, Dialog, Failure, tell, useAction } from '../parts/dialog';
import { Icon } from '../parts/icon';
import { DataTable, type Column } from '../parts/table';
import { VhostSelect, useVhost } from '../parts/vhost-select';

interface Shovel {
  name: string;
  /** None of a static one. */
  vhost?: string;
  type: 'static' | 'dynamic';
  state: 'starting' | 'running' | 'blocked' | 'terminated';
  src_uri?: string;
  dest_uri?: string;
  src_queue?: string;
  src_exchange?: string;
  dest_queue?: string;
  dest_exchange?: string;
  forwarded: number;
  pending: number;
  refused: number;
  remaining: number | 'unlimited';
  reason?: string | null;
  next_attempt?: string | null;
  blocked_reason?: string;
  last_error?: string;
  last_error_at?: string;
}

const KINDS = { running: 'good', blocked: 'warn', starting: 'warn', terminated: 'bad' } as const;

/** A URI without a host is this broker's. */
const HERE = /^amqp:\/\/(\/|\?|$)/;

/** What is wrong with it, if anything is. */
function trouble({ state, reason, next_attempt, blocked_reason, last_error, last_error_at }: Shovel): string {
  if (state === 'blocked') return `held back: ${blocked_reason ?? 'the other broker blocks'}`;
  if (state === 'terminated') return `${reason ?? 'it has ended'}${next_attempt ? `; next attempt ${next_attempt} UTC` : ''}`;
  return last_error ? `last trouble ${last_error_at ?? ''} UTC: ${last_error}` : '';
}

const end = (queue?: string, exchange?: string) => queue ?? (exchange !== undefined ? `exchange ${exchange || '(default)'}` : '');

const End = ({ uri, what }: { uri?: string; what: string }) => (
  <span title={uri}>
    <b>{what || '…'}</b> <span class="faint">{uri && HERE.test(uri) ? 'here' : uri}</span>
  </span>
);

const columns: Column<Shovel>[] = [
  { id: 'name', title: 'Name', value: ({ name }) => name, width: 'minmax(8rem, 1fr)', phone: true },
  { id: 'vhost', title: 'Virtual host', value: ({ vhost }) => vhost ?? '', cell: ({ vhost }) => vhost ?? <span class="faint">static</span>, width: '6.5rem' },
  {
    id: 'state',
    title: 'State',
    value: ({ state }) => state,
    cell: (shovel) => (
      <Tag kind={KINDS[shovel.state]} title={trouble(shovel)}>
        {shovel.state}
      </Tag>
    ),
    width: '6.5rem',
    phone: true,
  },
  { id: 'from', title: 'From', value: (it) => end(it.src_queue, it.src_exchange), cell: (it) => <End uri={it.src_uri} what={end(it.src_queue, it.src_exchange)} />, width: 'minmax(8rem, 1fr)' },
  { id: 'to', title: 'To', value: (it) => end(it.dest_queue, it.dest_exchange), cell: (it) => <End uri={it.dest_uri} what={end(it.dest_queue, it.dest_exchange)} />, width: 'minmax(8rem, 1fr)' },
  { id: 'carried', title: 'Carried', number: true, value: ({ forwarded }) => forwarded, cell: ({ forwarded }) => <Num value={forwarded} />, width: '6rem' },
  { id: 'pending', title: 'Under way', number: true, value: ({ pending }) => pending, cell: ({ pending }) => <Num value={pending} />, width: '6.5rem', hint: 'taken, and not confirmed by the other end' },
  { id: 'left', title: 'Still to go', number: true, hidden: true, value: ({ remaining }) => (remaining === 'unlimited' ? Infinity : remaining), cell: ({ remaining }) => (remaining === 'unlimited' ? 'no end' : integer(remaining)), width: '6.5rem' },
  { id: 'trouble', title: 'What is wrong', value: trouble, cell: (it) => <span title={trouble(it)}>{trouble(it)}</span>, width: 'minmax(8rem, 1.5fr)' },
];

const NONE: Shovel[] = [];

export function ShovelsPage() {
  const route = useRoute();
  const answer = useAnswer<Shovel[]>('/api/shovels');
  const [deleting, setDeleting] = useState<{ shovels: Shovel[]; clear: () => void } | null>(null);
  const { error, run } = useAction();
  const address = ({ vhost = '', name }: Shovel) => `api/shovels/vhost/${seg(vhost)}/${seg(name)}`;
  const mayEdit = may.setPolicies();
  return (
    <Page
      title="Shovels"
      about="Each takes messages out of a queue and publishes them somewhere else, here or at another broker, and loses none."
      actions={
        mayEdit && (
          <button class="primary" onClick={() => setQuery({ new: '1' })}>
            <Icon name="plus" /> New shovel
          </button>
        )
      }
    >
      <Failure error={error} />
      <DataTable
        id="shovels"
        label="shovels"
        columns={columns}
        rows={answer?.status === 200 ? answer.body : NONE}
        loading={!answer}
        rowKey={({ vhost, name }) => `${vhost ?? ''} ${name}`}
        text={({ name, src_uri = '', dest_uri = '' }) => `${name} ${src_uri} ${dest_uri}`}
        sort="name"
        actions={
          mayEdit
            ? (selected, clear) => (
                <>
                  <button
                    onClick={() =>
                      void run(async () => {
                        for (const shovel of dynamic(selected)) await call('DELETE', `${address(shovel)}/restart`);
                        refresh();
                        tell('They connect anew.');
                        clear();
                      })
                    }
                  >
                    Restart
                  </button>
                  <button class="danger" disabled={!dynamic(selected).length} onClick={() => setDeleting({ shovels: dynamic(selected), clear })}>
                    Delete…
                  </button>
                </>
              )
            : undefined
        }
        empty={
          <Empty title="No shovel carries anything">
            <p>
              A shovel moves messages between brokers while both go on: into a new cluster, from a site to the centre, or from one
              queue to another. Static ones stand in the configuration file.
            </p>
          </Empty>
        }
      />
      {route.query.has('new') && <NewShovel onClose={() => setQuery({ new: null })} />}
      {deleting && (
        <Confirm
          title={deleting.shovels.length === 1 ? `Delete the shovel ${deleting.shovels[0]?.name}` : `Delete ${integer(deleting.shovels.length)} shovels`}
          word="delete"
          action="Delete"
          onClose={() => setDeleting(null)}
          onConfirm={async () => {
            for (const shovel of deleting.shovels) await call('DELETE', address(shovel));
            deleting.clear();
            refresh();
          }}
        >
          <p>What is under way comes back to its queue, and nothing more is carried.</p>
        </Confirm>
      )}
    </Page>
  );
}

/** Those that can be changed while the server runs. */
const dynamic = (shovels: Shovel[]) => shovels.filter(({ type }) => type === 'dynamic');

function NewShovel({ onClose }: { onClose: () => void }) {
  const [vhost, setVhost] = useVhost();
  const [name, setName] = useState('');
  const [from, setFrom] = useState({ uri: '', queue: '' });
  const [to, setTo] = useState({ uri: '', queue: '' });
  const [until, setUntil] = useState('never');
  const { busy, error, run } = useAction();
  const here = `amqp:///${seg(vhost)}`;
  const save = () =>
    run(async () => {
      const value = {
        'src-protocol': 'amqp091',
        'src-uri': from.uri || here,
        'src-queue': from.queue,
        'src-delete-after': until,
        'dest-protocol': 'amqp091',
        'dest-uri': to.uri || here,
        'dest-queue': to.queue,
        'ack-mode': 'on-confirm',
      };
      await call('PUT', `api/parameters/shovel/${seg(vhost)}/${seg(name)}`, { value });
      refresh();
      tell(`The shovel ${name} begins.`);
      onClose();
    });
  const input = (label: string, value: string, set: (value: string) => void, needed = true) => (
    <Field label={label}>
      <input
        required={needed}
        placeholder={needed ? undefined : 'this broker, or amqps://user:password@host'}
        spellcheck={false}
        autocomplete="off"
        value={value}
        onInput={(event) => set(event.currentTarget.value)}
      />
    </Field>
  );
  return (
    <Dialog title="New shovel" onClose={onClose} wide>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <VhostSelect value={vhost} onChange={setVhost} />
        <Field label="Name">
          <input autofocus required spellcheck={false} autocomplete="off" value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </Field>
        <div class="row">
          {input('Take from', from.uri, (uri) => setFrom({ ...from, uri }), false)}
          {input('the queue', from.queue, (queue) => setFrom({ ...from, queue }))}
        </div>
        <div class="row">
          {input('Bring to', to.uri, (uri) => setTo({ ...to, uri }), false)}
          {input('into the queue', to.queue, (queue) => setTo({ ...to, queue }))}
        </div>
        <Field label="It ends">
          <select value={until} onChange={(event) => setUntil(event.currentTarget.value)}>
            <option value="never">never</option>
            <option value="queue-length">once it has carried what is in the queue now</option>
          </select>
        </Field>
        <Failure error={error} />
        <div class="buttons">
          <span class="grow" />
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="primary" disabled={busy}>
            Begin
          </button>
        </div>
      </form>
    </Dialog>
  );
}
