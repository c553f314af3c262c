// Users, and what one of them may do.
import { useState } from 'preact/hooks';
import { call, seg, type Table } from '../lib/api';
import { go, setQuery, to, useRoute } from '../lib/route';
import { session } from '../lib/session';
import type { Permission, UserEntry } from '../lib/types';
import { refresh, useAnswer } from '../lib/watch';
import { Empty, Field, Loading, Page, Tag } from '../parts/bits';
import { Confirm, Dialog, Failure, tell, useAction } from '../parts/dialog';
import { Icon } from '../parts/icon';
import { TopicPermissions, type TopicPermission } from '../parts/topic-permissions';
import { Limits } from '../parts/limits';
import { DataTable, type Column } from '../parts/table';
import { VhostSelect, useVhost } from '../parts/vhost-select';

const TAGS: [string, string][] = [
  ['administrator', 'everything'],
  ['monitoring', 'sees all connections and the node'],
  ['policymaker', 'sets policies where it has permissions'],
  ['management', 'uses this page where it has permissions'],
  ['impersonator', 'publishes in the name of others'],
];

const COLUMNS = (permissions: Map<string, string[]>): Column<UserEntry>[] => [
  { id: 'name', title: 'Name', value: (user) => user.name, phone: true },
  {
    id: 'tags',
    title: 'Tags',
    value: (user) => user.tags.join(' '),
    phone: true,
    cell: ({ tags }) => (
      <span class="tags">
        {tags.map((tag) => (
          <Tag kind={tag === 'administrator' ? 'accent' : ''}>{tag}</Tag>
        ))}
      </span>
    ),
  },
  {
    id: 'vhosts',
    title: 'May enter',
    value: (user) => (permissions.get(user.name) ?? []).join(' '),
    cell: ({ name }) => (permissions.get(name) ?? []).join(', ') || <Tag kind="warn">no virtual host</Tag>,
  },
  {
    id: 'password',
    title: 'Password',
    value: (user) => (user.password_hash ? 'set' : 'none'),
    cell: ({ password_hash: hash }) => (hash ? 'set' : <Tag kind="warn">none</Tag>),
    width: '7rem',
  },
];

const NONE: UserEntry[] = [];

export function UsersPage() {
  const users = useAnswer<UserEntry[]>('/api/users');
  const permissions = useAnswer<Permission[]>('/api/permissions');
  const making = useRoute().query.has('new');
  const entered = new Map<string, string[]>();
  for (const { user, vhost } of permissions?.status === 200 ? permissions.body : []) {
    entered.set(user, [...(entered.get(user) ?? []), vhost]);
  }
  if (users && users.status !== 200) return <OnlyAdministrators />;
  return (
    <Page
      title="Users"
      actions={
        <button class="primary" onClick={() => setQuery({ new: '1' })}>
          <Icon name="plus" /> New user
        </button>
      }
    >
      <DataTable
        id="users"
        label="users"
        columns={COLUMNS(entered)}
        rows={users?.body ?? NONE}
        loading={!users}
        rowKey={(user) => user.name}
        text={(user) => `${user.name} ${user.tags.join(' ')}`}
        href={(user) => to('users', user.name)}
        sort="name"
        empty={<Empty title="No user" />}
      />
      {making && <EditUser onClose={() => setQuery({ new: null })} />}
    </Page>
  );
}

export const OnlyAdministrators = () => (
  <Empty whole title="This is for administrators">
    <p>Your user has not the tag administrator, and may not see this page.</p>
  </Empty>
);

function EditUser({ user, onClose }: { user?: UserEntry; onClose: () => void }) {
  const [name, setName] = useState(user?.name ?? '');
  const [password, setPassword] = useState('');
  const [tags, setTags] = useState(user?.tags ?? []);
  const [enter, setEnter] = useState(true);
  const [vhost, setVhost] = useVhost();
  const { busy, error, run } = useAction();
  const toggle = (tag: string) => setTags(tags.includes(tag) ? tags.filter((t) => t !== tag) : [...tags, tag]);
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const secret = password ? { password } : { password_hash: user?.password_hash ?? '' };
      await call('PUT', `api/users/${seg(name)}`, { ...secret, tags });
      if (!user && enter) {
        await call('PUT', `api/permissions/${seg(vhost)}/${seg(name)}`, { configure: '.*', write: '.*', read: '.*' });
      }
      refresh();
      tell(user ? `The user “${name}” is changed.` : `The user “${name}” is there.`);
      onClose();
    });
  };
  return (
    <Dialog title={user ? `Change ${user.name}` : 'New user'} onClose={onClose}>
      <form onSubmit={submit} autocomplete="off">
        {!user && (
          <Field label="Name">
            <input
              autofocus
              required
              autocomplete="off"
              spellcheck={false}
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          </Field>
        )}
        <Field label="Password" hint={user ? 'Leave it empty to keep the one that is there.' : undefined}>
          <input
            type="password"
            required={!user}
            autocomplete="new-password"
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </Field>
        <fieldset>
          <legend>Tags: what the user may do here</legend>
          {TAGS.map(([tag, about]) => (
            <label>
              <input type="checkbox" checked={tags.includes(tag)} onChange={() => toggle(tag)} /> {tag}:{' '}
              <span class="muted">{about}</span>
            </label>
          ))}
        </fieldset>
        {!user && (
          <>
            <label>
              <input type="checkbox" checked={enter} onChange={() => setEnter(!enter)} /> May do everything in a virtual
              host
            </label>
            {enter && <VhostSelect value={vhost} onChange={setVhost} />}
          </>
        )}
        <Failure error={error} />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="primary" disabled={busy || !name}>
            {user ? 'Change' : 'Make the user'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function UserPage({ name }: { name: string }) {
  const answer = useAnswer<UserEntry>(`/api/users/${seg(name)}`);
  const permissions = useAnswer<Permission[]>(`/api/users/${seg(name)}/permissions`);
  const topics = useAnswer<TopicPermission[]>(`/api/users/${seg(name)}/topic-permissions`);
  const limits = useAnswer<{ value: Table }[]>(`/api/user-limits/${seg(name)}`);
  const [over, setOver] = useState<'edit' | 'delete' | null>(null);
  if (!answer) return <Loading />;
  if (answer.status === 401) return <OnlyAdministrators />;
  if (answer.status !== 200) return <Empty whole title={`There is no user “${name}”`} />;
  const user = answer.body;
  return (
    <Page
      title={name}
      crumbs={<a href="#/users">Users</a>}
      about={
        <span class="tags">
          {user.tags.length ? user.tags.map((tag) => <Tag>{tag}</Tag>) : <Tag>no tags: may not use this page</Tag>}
        </span>
      }
      actions={
        <>
          <button onClick={() => setOver('edit')}>Change</button>
          <button class="danger" onClick={() => setOver('delete')}>
            Delete
          </button>
        </>
      }
    >
      <section class="card">
        <h2>Permissions</h2>
        <Permissions user={name} rows={permissions?.status === 200 ? permissions.body : []} />
      </section>
      <section class="card">
        <h2>Topic permissions</h2>
        <TopicPermissions user={name} rows={topics?.status === 200 ? topics.body : []} />
      </section>
      <section class="card">
        <h2>Limits</h2>
        <Limits
          path={`api/user-limits/${seg(name)}`}
          names={['max-connections', 'max-channels']}
          values={limits?.status === 200 ? (limits.body[0]?.value ?? {}) : {}}
        />
      </section>
      {over === 'edit' && <EditUser user={user} onClose={() => setOver(null)} />}
      {over === 'delete' && (
        <Confirm
          title={`Delete ${name}`}
          word={name}
          action="Delete the user"
          onClose={() => setOver(null)}
          onConfirm={async () => {
            await call('DELETE', `api/users/${seg(name)}`);
            refresh();
            tell(`The user “${name}” is deleted.`);
            go('#/users');
          }}
        >
          <p>
            The user goes with its permissions, and its connections are closed.
            {name === session()?.user.name && ' It is you: you will be logged out.'}
          </p>
        </Confirm>
      )}
    </Page>
  );
}

const KINDS = [
  ['configure', 'declare and delete'],
  ['write', 'publish and bind'],
  ['read', 'consume and purge'],
] as const;

/** Each a regular expression that names have to match. */
function Permissions({ user, rows }: { user: string; rows: Permission[] }) {
  const [vhost, setVhost] = useVhost();
  const [values, setValues] = useState({ configure: '.*', write: '.*', read: '.*' });
  const { busy, error, run } = useAction();
  const path = (vhost: string) => `api/permissions/${seg(vhost)}/${seg(user)}`;
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      await call('PUT', path(vhost), values);
      refresh();
      tell(`“${user}” may enter “${vhost}” now.`);
    });
  };
  const take = async ({ vhost, configure, write, read }: Permission) => {
    await call('DELETE', path(vhost));
    refresh();
    tell(`“${user}” may not enter “${vhost}” any more.`, {
      undo: () => call('PUT', path(vhost), { configure, write, read }).then(refresh),
    });
  };
  return (
    <>
      {rows.length === 0 ? (
        <p class="muted">The user may enter no virtual host, and so cannot connect.</p>
      ) : (
        <table class="plain">
          <thead>
            <tr>
              <th>Virtual host</th>
              {KINDS.map(([kind, about]) => (
                <th title={about}>{kind}</th>
              ))}
              <th>
                <span class="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.vhost}>
                <td>
                  <a href={to('vhosts', row.vhost)}>{row.vhost}</a>
                </td>
                {KINDS.map(([kind]) => (
                  <td>{row[kind] ? <code>{row[kind]}</code> : <span class="faint">nothing</span>}</td>
                ))}
                <td class="num">
                  <button
                    class="quiet"
                    onClick={() => void take(row).catch((e: Error) => tell(e.message, { bad: true }))}
                  >
                    Take away
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <form onSubmit={submit}>
        <div class="row">
          <VhostSelect value={vhost} onChange={setVhost} />
          {KINDS.map(([kind, about]) => (
            <Field label={kind} hint={about}>
              <input
                spellcheck={false}
                value={values[kind]}
                onInput={(event) => setValues({ ...values, [kind]: event.currentTarget.value })}
              />
            </Field>
          ))}
        </div>
        <p class="muted small">Regular expressions that names of queues and exchanges have to match; empty for none.</p>
        <Failure error={error} />
        <div class="buttons">
          <button disabled={busy}>Set the permissions</button>
        </div>
      </form>
    </>
  );
}
