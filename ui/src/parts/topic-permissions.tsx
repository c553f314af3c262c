// Which routing keys a user may publish with, and bind to, on a topic exchange.
import { useState } from 'preact/hooks';
import { call, seg } from '../lib/api';
import { refresh } from '../lib/watch';
import { Field } from './bits';
import { Failure, tell, useAction } from './dialog';
import { VhostSelect, useVhost } from './vhost-select';

export interface TopicPermission {
  vhost: string;
  exchange: string;
  write: string;
  read: string;
}

export function TopicPermissions({ user, rows }: { user: string; rows: TopicPermission[] }) {
  const [vhost, setVhost] = useVhost();
  const [values, setValues] = useState({ exchange: 'amq.topic', write: '.*', read: '.*' });
  const { busy, error, run } = useAction();
  const put = ({ vhost, ...body }: TopicPermission) =>
    call('PUT', `api/topic-permissions/${seg(vhost)}/${seg(user)}`, body).then(refresh);
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      await put({ vhost, ...values });
      tell(`The keys on “${values.exchange}” are set.`);
    });
  };
  const take = async (row: TopicPermission) => {
    await call('DELETE', `api/topic-permissions/${seg(row.vhost)}/${seg(user)}/${seg(row.exchange)}`);
    refresh();
    tell(`Any key will do on “${row.exchange}” again.`, { undo: () => put(row) });
  };
  const input = (name: keyof typeof values, label: string) => (
    <Field label={label}>
      <input
        required={name === 'exchange'}
        spellcheck={false}
        value={values[name]}
        onInput={(event) => setValues({ ...values, [name]: event.currentTarget.value })}
      />
    </Field>
  );
  return (
    <>
      {rows.length === 0 ? (
        <p class="muted">None: on topic exchanges that the user may use, any routing key will do.</p>
      ) : (
        <table class="plain">
          <thead>
            <tr>
              <th>Virtual host</th>
              <th>Exchange</th>
              <th>Keys to publish with</th>
              <th>Keys to bind</th>
              <th>
                <span class="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={`${row.vhost} ${row.exchange}`}>
                <td>{row.vhost}</td>
                <td>{row.exchange}</td>
                <td>
                  <code>{row.write}</code>
                </td>
                <td>
                  <code>{row.read}</code>
                </td>
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
          {input('exchange', 'Topic exchange')}
          {input('write', 'Keys to publish with')}
          {input('read', 'Keys to bind')}
        </div>
        <Failure error={error} />
        <div class="buttons">
          <button disabled={busy}>Set the keys</button>
        </div>
      </form>
    </>
  );
}
