// Policies: settings for all queues and exchanges whose names match.
import { useState } from 'preact/hooks';
import { call, seg, type Table } from '../lib/api';
import { count } from '../lib/format';
import { useQueues } from '../lib/queues';
import { setQuery, useRoute } from '../lib/route';
import { may } from '../lib/session';
import type { Policy } from '../lib/types';
import { refresh, useAnswer } from '../lib/watch';
import { Arguments, Empty, Field, Page, Tabs } from '../parts/bits';
import { ArgumentsEditor, lineOf, tableOf, type Argument, type Suggestion } from '../parts/arguments-editor';
import { Dialog, Failure, tell, useAction } from '../parts/dialog';
import { Icon } from '../parts/icon';
import { DataTable, type Column } from '../parts/table';
import { VhostSelect, useVhost } from '../parts/vhost-select';

const SUGGESTIONS: Suggestion[] = [
  { name: 'message-ttl', type: 'number', about: 'Messages leave after so many milliseconds' },
  { name: 'expires', type: 'number', about: 'A queue goes when it was not used for so many milliseconds' },
  { name: 'max-length', type: 'number', about: 'No more messages than this' },
  { name: 'max-length-bytes', type: 'number', about: 'No more octets than this' },
  { name: 'overflow', type: 'text', about: 'drop-head, reject-publish or reject-publish-dlx' },
  { name: 'dead-letter-exchange', type: 'text', about: 'Where messages go that die' },
  { name: 'dead-letter-routing-key', type: 'text', about: 'With which key' },
  { name: 'delivery-limit', type: 'number', about: 'A message that came back so often leaves' },
  { name: 'alternate-exchange', type: 'text', about: 'Gets what an exchange cannot route' },
  { name: 'federation-upstream', type: 'text', about: 'Gets messages of this broker upstream, too' },
];

const columns = (onEdit: (policy: Policy) => void): Column<Policy>[] => [
  {
    id: 'name',
    title: 'Name',
    value: (policy) => policy.name,
    cell: (policy) => (
      <button class="link" onClick={() => onEdit(policy)}>
        {policy.name}
      </button>
    ),
    phone: true,
  },
  { id: 'vhost', title: 'Virtual host', value: (policy) => policy.vhost, width: '7rem' },
  { id: 'pattern', title: 'Pattern', value: (policy) => policy.pattern, cell: ({ pattern }) => <code>{pattern}</code>, phone: true },
  { id: 'apply', title: 'Applies to', value: (policy) => policy['apply-to'], width: '8rem' },
  {
    id: 'definition',
    title: 'Sets',
    value: (policy) => Object.keys(policy.definition).join(' '),
    cell: ({ definition }) => <Arguments of={definition} />,
    width: 'minmax(14rem, 2fr)',
  },
  { id: 'priority', title: 'Priority', number: true, value: (policy) => policy.priority, width: '5.5rem' },
];

const NONE: Policy[] = [];

const KINDS = { policies: 'Policies', 'operator-policies': 'Operator policies' } as const;
type Kind = keyof typeof KINDS;

export function PoliciesPage() {
  const route = useRoute();
  const kind: Kind = route.query.get('kind') === 'operator' ? 'operator-policies' : 'policies';
  const answer = useAnswer<Policy[]>(`/api/${kind}`);
  const [edited, setEdited] = useState<Policy | null>(null);
  const making = route.query.has('new');
  const mayEdit = kind === 'policies' ? may.setPolicies() : may.administer();
  return (
    <Page
      title="Policies"
      about="Settings for all queues and exchanges whose names match a pattern. Of several, the one with the highest priority counts."
      actions={
        mayEdit && (
          <button class="primary" onClick={() => setQuery({ new: '1' })}>
            <Icon name="plus" /> New policy
          </button>
        )
      }
    >
      <Tabs
        tabs={Object.entries(KINDS).map(([id, title]) => ({ id, title }))}
        active={kind}
        onChoose={(id) => setQuery({ kind: id === 'policies' ? null : 'operator' })}
      />
      <DataTable
        key={kind}
        id={kind}
        label="policies"
        columns={columns((policy) => mayEdit && setEdited(policy))}
        rows={answer?.status === 200 ? answer.body : NONE}
        loading={!answer}
        rowKey={(policy) => `${policy.vhost} ${policy.name}`}
        text={(policy) => `${policy.name} ${policy.pattern}`}
        sort="name"
        empty={
          <Empty title={`No ${KINDS[kind].toLowerCase()}`}>
            <p>
              {kind === 'policies'
                ? 'With a policy you set a time to live, a length limit or a dead-letter exchange for many queues at once, without declaring them anew.'
                : 'With an operator policy an administrator sets bounds that the policies of others cannot exceed.'}
            </p>
          </Empty>
        }
      />
      {making && <EditPolicy kind={kind} onClose={() => setQuery({ new: null })} />}
      {edited && <EditPolicy kind={kind} policy={edited} onClose={() => setEdited(null)} />}
    </Page>
  );
}

function EditPolicy({ kind, policy, onClose }: { kind: Kind; policy?: Policy; onClose: () => void }) {
  const [chosen, setVhost] = useVhost();
  const vhost = policy?.vhost ?? chosen;
  const [name, setName] = useState(policy?.name ?? '');
  const [pattern, setPattern] = useState(policy?.pattern ?? '^');
  const [applyTo, setApplyTo] = useState(policy?.['apply-to'] ?? 'queues');
  const [priority, setPriority] = useState(String(policy?.priority ?? 0));
  const [lines, setLines] = useState<Argument[]>(
    Object.entries(policy?.definition ?? {}).map(([name, value]) => lineOf(name, value)),
  );
  const { busy, error, run } = useAction();
  const path = `api/${kind}/${seg(vhost)}/${seg(name)}`;
  const put = (body: unknown) => call('PUT', path, body).then(refresh);
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const definition: Table = tableOf(lines);
      await put({ pattern, 'apply-to': applyTo, priority: Number(priority), definition });
      tell(`The policy “${name}” is set.`);
      onClose();
    });
  };
  const remove = () =>
    run(async () => {
      await call('DELETE', path);
      refresh();
      tell(`The policy “${name}” is removed.`, policy ? { undo: () => put(policy) } : {});
      onClose();
    });
  return (
    <Dialog title={policy ? `Policy ${policy.name}` : 'New policy'} onClose={onClose} wide>
      <form onSubmit={submit}>
        <div class="row">
          {!policy && (
            <>
              <VhostSelect value={vhost} onChange={setVhost} />
              <Field label="Name">
                <input
                  autofocus
                  required
                  spellcheck={false}
                  value={name}
                  onInput={(event) => setName(event.currentTarget.value)}
                />
              </Field>
            </>
          )}
          <Field label="Pattern" hint={<Matches vhost={vhost} pattern={pattern} />}>
            <input required spellcheck={false} value={pattern} onInput={(event) => setPattern(event.currentTarget.value)} />
          </Field>
          <Field label="Applies to">
            <select value={applyTo} onChange={(event) => setApplyTo(event.currentTarget.value)}>
              {['queues', 'classic_queues', 'quorum_queues', 'streams', ...(kind === 'policies' ? ['exchanges', 'all'] : [])].map(
                (name) => (
                  <option>{name}</option>
                ),
              )}
            </select>
          </Field>
          <Field label="Priority">
            <input type="number" value={priority} onInput={(event) => setPriority(event.currentTarget.value)} />
          </Field>
        </div>
        <ArgumentsEditor label="What it sets" lines={lines} suggestions={SUGGESTIONS} onChange={setLines} />
        <Failure error={error} />
        <div class="buttons">
          {policy && (
            <button type="button" class="danger" disabled={busy} onClick={() => void remove()}>
              Remove
            </button>
          )}
          <span class="grow" />
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="primary" disabled={busy || !name}>
            Set it
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Which queues a pattern fits, while it is typed. */
function Matches({ vhost, pattern }: { vhost: string; pattern: string }) {
  const queues = useQueues();
  let regex: RegExp;
  try {
    regex = new RegExp(pattern);
  } catch {
    return <>The pattern is no regular expression that this browser knows.</>;
  }
  const fitting = queues.all.filter((queue) => queue.vhost === vhost && regex.test(queue.name));
  const [first] = fitting;
  return (
    <>
      fits {count(fitting.length, 'queue')}
      {first && `, such as “${first.name}”`}
    </>
  );
}
