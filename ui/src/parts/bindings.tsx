// Bindings, of a queue or an exchange: what leads to it, and where it leads.
import { useState } from 'preact/hooks';
import { call, exchangeSeg, seg, type Table } from '../lib/api';
import { exchangeName } from '../lib/format';
import { to } from '../lib/route';
import type { Binding, Exchange } from '../lib/types';
import { refresh, useAnswer } from '../lib/watch';
import { ArgumentsEditor, tableOf, type Argument } from './arguments-editor';
import { Arguments, Empty, Field, Tag } from './bits';
import { Failure, tell, useAction } from './dialog';
import { Icon } from './icon';

const path = (binding: Binding) =>
  `api/bindings/${seg(binding.vhost)}/e/${exchangeSeg(binding.source)}/${binding.destination_type === 'queue' ? 'q' : 'e'}/${seg(binding.destination)}`;

export const keyOf = (binding: Binding) => `${binding.source} ${binding.destination_type} ${binding.destination} ${binding.properties_key}`;

async function bind(binding: Binding): Promise<void> {
  await call('POST', path(binding), { routing_key: binding.routing_key, arguments: binding.arguments });
  refresh();
}

async function unbind(binding: Binding): Promise<void> {
  await call('DELETE', `${path(binding)}/${seg(binding.properties_key)}`);
  refresh();
  const where = binding.destination_type === 'queue' ? 'queue' : 'exchange';
  tell(`The ${where} “${binding.destination}” is not bound to ${exchangeName(binding.source)} so any more.`, {
    undo: () => bind(binding),
  });
}

export function Bindings({ bindings, side }: { bindings: Binding[]; side: 'from' | 'to' }) {
  if (!bindings.length) {
    return side === 'from' ? (
      <Empty title="Nothing leads here">
        <p>Bind it to an exchange, and it gets what is published there with a routing key that matches.</p>
      </Empty>
    ) : (
      <Empty title="It leads nowhere">
        <p>What is published to this exchange is lost until a queue or another exchange is bound to it.</p>
      </Empty>
    );
  }
  return (
    <table class="plain">
      <thead>
        <tr>
          <th>{side === 'from' ? 'From' : 'To'}</th>
          {side === 'to' && <th class="not-phone">Which is</th>}
          <th>Binding key</th>
          <th class="not-phone">Arguments</th>
          <th>
            <span class="hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {bindings.map((binding) => (
          <tr key={keyOf(binding)}>
            <td>
              {side === 'from' ? (
                <a href={to('exchanges', binding.vhost, binding.source || 'amq.default')}>
                  {exchangeName(binding.source)}
                </a>
              ) : (
                <a href={to(`${binding.destination_type}s`, binding.vhost, binding.destination)}>
                  {binding.destination}
                </a>
              )}
            </td>
            {side === 'to' && (
              <td class="not-phone">
                <Tag>{binding.destination_type}</Tag>
              </td>
            )}
            <td>{binding.routing_key ? <code>{binding.routing_key}</code> : <span class="faint">empty</span>}</td>
            <td class="not-phone">
              <Arguments of={binding.arguments} />
            </td>
            <td class="num">
              {binding.source !== '' && (
                <button class="quiet" onClick={() => void unbind(binding).catch((e: Error) => tell(e.message, { bad: true }))}>
                  Unbind
                </button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Binds a queue or an exchange to another exchange. */
export function Bind({
  vhost,
  destination,
  type,
  source,
}: {
  vhost: string;
  destination?: string;
  type: 'queue' | 'exchange';
  source?: string;
}) {
  const exchanges = useAnswer<Exchange[]>(`/api/exchanges/${seg(vhost)}?columns=name`)?.body ?? [];
  const [other, setOther] = useState('');
  const [kind, setKind] = useState<'queue' | 'exchange'>('queue');
  const [key, setKey] = useState('');
  const [lines, setLines] = useState<Argument[]>([]);
  const { busy, error, run } = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const table: Table = tableOf(lines);
      await bind({
        vhost,
        source: source ?? other,
        destination: destination ?? other,
        destination_type: destination === undefined ? kind : type,
        routing_key: key,
        arguments: table,
        properties_key: '',
      });
      tell('It is bound.');
      setKey('');
      setLines([]);
    });
  };
  return (
    <form class="card" onSubmit={submit}>
      <h2 class="part">{source === undefined ? 'Bind to an exchange' : 'Bind something to this exchange'}</h2>
      <div class="row">
        {source === undefined ? (
          <Field label="Exchange">
            <input
              list="exchanges"
              required
              spellcheck={false}
              value={other}
              onInput={(event) => setOther(event.currentTarget.value)}
            />
          </Field>
        ) : (
          <>
            <Field label="What">
              <select value={kind} onChange={(event) => setKind(event.currentTarget.value as 'queue' | 'exchange')}>
                <option>queue</option>
                <option>exchange</option>
              </select>
            </Field>
            <Field label="Name">
              <input
                required
                list={kind === 'exchange' ? 'exchanges' : undefined}
                spellcheck={false}
                value={other}
                onInput={(event) => setOther(event.currentTarget.value)}
              />
            </Field>
          </>
        )}
        <datalist id="exchanges">
          {exchanges
            .filter(({ name }) => name)
            .map(({ name }) => (
              <option value={name} />
            ))}
        </datalist>
        <Field label="Binding key" hint="for a topic exchange with * for a word and # for any">
          <input spellcheck={false} value={key} onInput={(event) => setKey(event.currentTarget.value)} />
        </Field>
      </div>
      <ArgumentsEditor
        label="Arguments"
        lines={lines}
        suggestions={[{ name: 'x-match', type: 'text', about: 'all, any, all-with-x or any-with-x: for headers exchanges' }]}
        onChange={setLines}
      />
      <Failure error={error} />
      <div class="buttons">
        <button class="primary" disabled={busy}>
          <Icon name="plus" /> Bind
        </button>
      </div>
    </form>
  );
}
