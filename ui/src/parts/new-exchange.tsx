// Declaring an exchange.
import { useState } from 'preact/hooks';
import { call, seg } from '../lib/api';
import { go, to } from '../lib/route';
import type { Overview } from '../lib/types';
import { refresh, useAnswer } from '../lib/watch';
import { ArgumentsEditor, tableOf, type Argument } from './arguments-editor';
import { Field } from './bits';
import { Dialog, Failure, tell, useAction } from './dialog';
import { VhostSelect, useVhost } from './vhost-select';

export function NewExchange({ onClose }: { onClose: () => void }) {
  const types = useAnswer<Overview>('/api/overview')?.body?.exchange_types.map(({ name }) => name);
  const [vhost, setVhost] = useVhost();
  const [name, setName] = useState('');
  const [type, setType] = useState('topic');
  const [flags, setFlags] = useState({ durable: true, auto_delete: false, internal: false });
  const [lines, setLines] = useState<Argument[]>([]);
  const { busy, error, run } = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const body = { type, ...flags, arguments: tableOf(lines) };
      await call('PUT', `api/exchanges/${seg(vhost)}/${seg(name)}`, body);
      refresh();
      tell(`The exchange “${name}” is there.`);
      onClose();
      go(to('exchanges', vhost, name));
    });
  };
  const flag = (id: keyof typeof flags, text: string) => (
    <label>
      <input type="checkbox" checked={flags[id]} onChange={() => setFlags({ ...flags, [id]: !flags[id] })} /> {text}
    </label>
  );
  return (
    <Dialog title="New exchange" onClose={onClose} wide>
      <form onSubmit={submit}>
        <div class="row">
          <VhostSelect value={vhost} onChange={setVhost} />
          <Field label="Name">
            <input
              autofocus
              required
              maxLength={255}
              spellcheck={false}
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          </Field>
          <Field label="Type">
            <select value={type} onChange={(event) => setType(event.currentTarget.value)}>
              {(types ?? ['direct', 'fanout', 'headers', 'topic']).map((name) => (
                <option>{name}</option>
              ))}
            </select>
          </Field>
        </div>
        <div class="row checks">
          {flag('durable', 'Durable: survives a restart')}
          {flag('auto_delete', 'Auto-delete: goes with its last binding')}
          {flag('internal', 'Internal: takes messages of exchanges only')}
        </div>
        <ArgumentsEditor
          label="Arguments"
          lines={lines}
          suggestions={[
            { name: 'alternate-exchange', type: 'text', about: 'Gets what this one cannot route' },
            { name: 'x-delayed-type', type: 'text', about: 'How an x-delayed-message exchange routes' },
          ]}
          onChange={setLines}
        />
        <Failure error={error} />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="primary" disabled={busy || !name}>
            Make it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
