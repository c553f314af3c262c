// Virtual hosts, and one of them.
import { useState } from 'preact/hooks';
import { call, seg, type Table } from '../lib/api';
import { count } from '../lib/format';
import { refreshQueues } from '../lib/queues';
import { go, setQuery, to, useRoute } from '../lib/route';
import { may } from '../lib/session';
import type { Permission, Vhost } from '../lib/types';
import { refresh, useAnswer } from '../lib/watch';
import { Empty, Field, Figure, Loading, Num, Page, Tag } from '../parts/bits';
import { Confirm, Dialog, Failure, tell, useAction } from '../parts/dialog';
import { Icon } from '../parts/icon';
import { Limits } from '../parts/limits';
import { DataTable, type Column } from '../parts/table';

const figure = (id: 'messages_ready' | 'messages_unacknowledged', title: string): Column<Vhost> => ({
  id,
  title,
  number: true,
  phone: true,
  width: '6rem',
  value: (vhost) => vhost[id] ?? 0,
  cell: (vhost) => <Num value={vhost[id] ?? 0} />,
});

const COLUMNS: Column<Vhost>[] = [
  { id: 'name', title: 'Name', value: (vhost) => vhost.name, phone: true },
  { id: 'description', title: 'Description', value: (vhost) => vhost.description },
  {
    id: 'type',
    title: 'Queues are',
    hint: 'the type of queues that say none',
    value: (vhost) => (vhost.default_queue_type === 'undefined' ? 'classic' : (vhost.default_queue_type ?? 'classic')),
    width: '7rem',
  },
  {
    id: 'protected',
    title: 'Protected',
    value: (vhost) => (vhost.protected_from_deletion ? 'yes' : ''),
    width: '6rem',
  },
  figure('messages_ready', 'Ready'),
  figure('messages_unacknowledged', 'Unacked'),
];

const NONE: Vhost[] = [];

export function VhostsPage() {
  const answer = useAnswer<Vhost[]>('/api/vhosts');
  const making = useRoute().query.has('new');
  return (
    <Page
      title="Virtual hosts"
      actions={
        may.administer() && (
          <button class="primary" onClick={() => setQuery({ new: '1' })}>
            <Icon name="plus" /> New virtual host
          </button>
        )
      }
    >
      <DataTable
        id="vhosts"
        label="virtual hosts"
        columns={COLUMNS}
        rows={answer?.body ?? NONE}
        loading={!answer}
        rowKey={(vhost) => vhost.name}
        text={(vhost) => `${vhost.name} ${vhost.description}`}
        {...(may.administer() ? { href: (vhost: Vhost) => to('vhosts', vhost.name) } : {})}
        sort="name"
        empty={
          <Empty title="You may enter no virtual host">
            <p>Ask an administrator for permissions.</p>
          </Empty>
        }
      />
      {making && <EditVhost onClose={() => setQuery({ new: null })} />}
    </Page>
  );
}

function EditVhost({ vhost, onClose }: { vhost?: Vhost; onClose: () => void }) {
  const [name, setName] = useState(vhost?.name ?? '');
  const [description, setDescription] = useState(vhost?.description ?? '');
  const [type, setType] = useState(vhost?.default_queue_type ?? 'classic');
  const { busy, error, run } = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const body = { description, default_queue_type: type, tags: vhost?.tags ?? [] };
      await call('PUT', `api/vhosts/${seg(name)}`, body);
      refresh();
      tell(vhost ? `“${name}” is changed.` : `The virtual host “${name}” is there, and you may enter it.`);
      onClose();
    });
  };
  return (
    <Dialog title={vhost ? `Change ${name}` : 'New virtual host'} onClose={onClose}>
      <form onSubmit={submit}>
        {!vhost && (
          <Field label="Name">
            <input
              autofocus
              required
              spellcheck={false}
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          </Field>
        )}
        <Field label="Description">
          <input value={description} onInput={(event) => setDescription(event.currentTarget.value)} />
        </Field>
        <Field label="Type of queues that say none">
          <select value={type} onChange={(event) => setType(event.currentTarget.value)}>
            <option>classic</option>
            <option>quorum</option>
            {type === 'stream' && <option>stream</option>}
          </select>
        </Field>
        <Failure error={error} />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="primary" disabled={busy || !name}>
            {vhost ? 'Change' : 'Make it'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function VhostPage({ name }: { name: string }) {
  const path = `api/vhosts/${seg(name)}`;
  const answer = useAnswer<Vhost>(`/${path}`);
  const permissions = useAnswer<Permission[]>(`/${path}/permissions`);
  const limits = useAnswer<{ value: Table }[]>(`/api/vhost-limits/${seg(name)}`);
  const [over, setOver] = useState<'edit' | 'delete' | null>(null);
  if (!answer) return <Loading />;
  if (answer.status !== 200) {
    return (
      <Empty whole title={answer.status === 404 ? `There is no virtual host “${name}”` : 'This is for administrators'}>
        <p>
          <a href="#/vhosts">All virtual hosts</a>
        </p>
      </Empty>
    );
  }
  const vhost = answer.body;
  const guarded = vhost.protected_from_deletion;
  const protect = async () => {
    await call(guarded ? 'DELETE' : 'POST', `${path}/deletion/protection`);
    refresh();
    tell(guarded ? `“${name}” can be deleted.` : `“${name}” is protected from deletion.`);
  };
  return (
    <Page
      title={name}
      crumbs={<a href="#/vhosts">Virtual hosts</a>}
      about={
        <span class="tags">
          {vhost.description && <span>{vhost.description}</span>}
          {vhost.tags.map((tag) => (
            <Tag>{tag}</Tag>
          ))}
          {guarded && <Tag kind="good">protected from deletion</Tag>}
        </span>
      }
      actions={
        <>
          <a class="button" href={`#/topology?vhost=${seg(name)}`}>
            <Icon name="topology" /> Topology
          </a>
          <button onClick={() => setOver('edit')}>Change</button>
          <button onClick={() => void protect().catch((e: Error) => tell(e.message, { bad: true }))}>
            {guarded ? 'Lift the protection' : 'Protect'}
          </button>
          <button class="danger" disabled={guarded ?? false} onClick={() => setOver('delete')}>
            Delete
          </button>
        </>
      }
    >
      <section class="figures" aria-label="Figures">
        <Figure label="Ready" colour="ready">
          <Num value={vhost.messages_ready ?? 0} />
        </Figure>
        <Figure label="Unacked" colour="unacked">
          <Num value={vhost.messages_unacknowledged ?? 0} />
        </Figure>
      </section>
      <section class="card">
        <h2>Who may enter</h2>
        <table class="plain">
          <thead>
            <tr>
              <th>User</th>
              <th>configure</th>
              <th>write</th>
              <th>read</th>
            </tr>
          </thead>
          <tbody>
            {(permissions?.status === 200 ? permissions.body : []).map((row) => (
              <tr>
                <td>
                  <a href={to('users', row.user)}>{row.user}</a>
                </td>
                <td>
                  <code>{row.configure}</code>
                </td>
                <td>
                  <code>{row.write}</code>
                </td>
                <td>
                  <code>{row.read}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <section class="card">
        <h2>Limits</h2>
        <Limits
          path={`api/vhost-limits/${seg(name)}`}
          names={['max-connections', 'max-queues']}
          values={limits?.status === 200 ? (limits.body[0]?.value ?? {}) : {}}
        />
      </section>
      {over === 'edit' && <EditVhost vhost={vhost} onClose={() => setOver(null)} />}
      {over === 'delete' && (
        <Confirm
          title={`Delete ${name}`}
          word={name}
          action="Delete the virtual host"
          onClose={() => setOver(null)}
          onConfirm={async () => {
            await call('DELETE', path);
            refresh();
            refreshQueues();
            tell(`The virtual host “${name}” is deleted.`);
            go('#/vhosts');
          }}
        >
          <p>
            It goes with everything in it: queues with {count(vhost.messages ?? 0, 'message')}, exchanges, bindings,
            policies and permissions. Its connections are closed. It cannot be undone.
          </p>
        </Confirm>
      )}
    </Page>
  );
}
