// Brokers upstream, of which federation brings messages: what they are called and where they are.
import { useState } from 'preact/hooks';
import { call, seg, type Table } from '../lib/api';
import { count } from '../lib/format';
import { setQuery, useRoute } from '../lib/route';
import { refresh, useAnswer } from '../lib/watch';
import { Empty, Field } from './bits';
import { Confirm, Dialog, Failure, tell, useAction } from './dialog';
import { DataTable, type Column } from './table';
import { VhostSelect, useVhost } from './vhost-select';

interface Upstream {
  vhost: string;
  name: string;
  value: { uri?: string | string[] } & Table;
}

const COMPONENT = 'federation-upstream';

/** Where it is, without the password. */
const place = ({ value: { uri = '' } }: Upstream) =>
  [uri].flat().map((uri) => uri.replace(/^(\w+:\/\/)[^/]*@/, '$1')).join(', ');

const others = ({ value: { uri: _, ...more } }: Upstream) =>
  Object.entries(more).map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`).join(', ');

const COLUMNS: Column<Upstream>[] = [
  { id: 'name', title: 'Name', value: ({ name }) => name, phone: true },
  { id: 'vhost', title: 'Virtual host', value: ({ vhost }) => vhost, width: '7rem' },
  { id: 'uri', title: 'Where', value: place, width: 'minmax(12rem, 2fr)', phone: true },
  { id: 'more', title: 'Sets', value: others, cell: (it) => <span title={others(it)}>{others(it)}</span>, width: 'minmax(9rem, 2fr)' },
];

const NONE: Upstream[] = [];

export function Upstreams() {
  const answer = useAnswer<Upstream[]>(`/api/parameters/${COMPONENT}`);
  const [doomed, setDoomed] = useState<{ upstreams: Upstream[]; clear: () => void } | null>(null);
  const making = useRoute().query.has('new');
  return (
    <>
      <DataTable
        id="upstreams"
        label="upstreams"
        columns={COLUMNS}
        rows={answer?.status === 200 ? answer.body : NONE}
        loading={!answer}
        rowKey={({ vhost, name }) => `${vhost} ${name}`}
        text={(upstream) => `${upstream.name} ${place(upstream)}`}
        sort="name"
        actions={(upstreams, clear) => (
          <button class="danger" onClick={() => setDoomed({ upstreams, clear })}>
            Delete {upstreams.length}
          </button>
        )}
        empty={
          <Empty title="No broker is upstream">
            <p>
              Name one here, and then set a policy with <code>federation-upstream</code> for the exchanges or queues that are to get
              its messages.
            </p>
            <button class="primary" onClick={() => setQuery({ new: '1' })}>
              Name an upstream
            </button>
          </Empty>
        }
      />
      {making && <NewUpstream onClose={() => setQuery({ new: null })} />}
      {doomed && (
        <Confirm
          title={`Delete ${count(doomed.upstreams.length, 'upstream')}`}
          word={count(doomed.upstreams.length, 'upstream')}
          action="Delete"
          onClose={() => setDoomed(null)}
          onConfirm={async () => {
            for (const { vhost, name } of doomed.upstreams) {
              await call('DELETE', `api/parameters/${COMPONENT}/${seg(vhost)}/${seg(name)}`);
            }
            doomed.clear();
            refresh();
            tell(`${count(doomed.upstreams.length, 'upstream')} deleted.`);
          }}
        >
          <p>Links to {doomed.upstreams.length === 1 ? 'it' : 'them'} end, and nothing more comes from there.</p>
        </Confirm>
      )}
    </>
  );
}

function NewUpstream({ onClose }: { onClose: () => void }) {
  const [vhost, setVhost] = useVhost();
  const [name, setName] = useState('');
  const [uri, setUri] = useState('');
  const [there, setThere] = useState({ exchange: '', queue: '' });
  const [ack, setAck] = useState('on-confirm');
  const [hops, setHops] = useState('1');
  const { busy, error, run } = useAction();
  const save = () =>
    run(async () => {
      const named = Object.fromEntries(Object.entries(there).filter(([, name]) => name));
      const value = { uri, 'ack-mode': ack, 'max-hops': Number(hops), ...named };
      await call('PUT', `api/parameters/${COMPONENT}/${seg(vhost)}/${seg(name)}`, { value });
      refresh();
      tell(`The upstream “${name}” is there. A policy with federation-upstream makes its links.`);
      onClose();
    });
  const text = (value: string, set: (value: string) => void, more: { required?: boolean; autofocus?: boolean; placeholder?: string } = {}) => (
    <input spellcheck={false} autocomplete="off" value={value} onInput={(event) => set(event.currentTarget.value)} {...more} />
  );
  return (
    <Dialog title="New upstream" onClose={onClose} wide>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <div class="row">
          <VhostSelect value={vhost} onChange={setVhost} />
          <Field label="Name">{text(name, setName, { required: true, autofocus: true })}</Field>
        </div>
        <Field label="Where it is">{text(uri, setUri, { required: true, placeholder: 'amqps://user:password@host/virtual-host' })}</Field>
        <div class="row">
          <Field label="Exchange there">{text(there.exchange, (exchange) => setThere({ ...there, exchange }), { placeholder: 'of the same name' })}</Field>
          <Field label="Queue there">{text(there.queue, (queue) => setThere({ ...there, queue }), { placeholder: 'of the same name' })}</Field>
        </div>
        <div class="row">
          <Field label="Acknowledged there">
            <select value={ack} onChange={(event) => setAck(event.currentTarget.value)}>
              <option value="on-confirm">when confirmed here: none is lost</option>
              <option value="on-publish">when published here</option>
              <option value="no-ack">at once: fast, may be lost</option>
            </select>
          </Field>
          <Field label="Links on the way, at most">
            <input type="number" min="1" required value={hops} onInput={(event) => setHops(event.currentTarget.value)} />
          </Field>
        </div>
        <Failure error={error} />
        <div class="buttons">
          <span class="grow" />
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="primary" disabled={busy}>
            Make it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
