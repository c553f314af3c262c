// Limits of a virtual host or of a user.
import { useState } from 'preact/hooks';
import { call, type Table } from '../lib/api';
import { refresh } from '../lib/watch';
import { Field } from './bits';
import { Failure, tell, useAction } from './dialog';

export function Limits({ path, names, values }: { path: string; names: string[]; values: Table }) {
  const [edited, setEdited] = useState<Record<string, string>>({});
  const { busy, error, run } = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      for (const [name, text] of Object.entries(edited)) {
        if (text.trim() === '') {
          if (name in values) await call('DELETE', `${path}/${name}`);
        } else await call('PUT', `${path}/${name}`, { value: Number(text) });
      }
      setEdited({});
      refresh();
      tell('The limits are set.');
    });
  };
  return (
    <form onSubmit={submit}>
      <div class="row">
        {names.map((name) => (
          <Field label={name.replace('max-', '').replace(/^/, 'most ')}>
            <input
              type="number"
              min="0"
              placeholder="no limit"
              value={edited[name] ?? String(values[name] ?? '')}
              onInput={(event) => setEdited({ ...edited, [name]: event.currentTarget.value })}
            />
          </Field>
        ))}
      </div>
      <Failure error={error} />
      <div class="buttons">
        <button disabled={busy || !Object.keys(edited).length}>Set the limits</button>
      </div>
    </form>
  );
}
