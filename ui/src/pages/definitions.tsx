// Definitions, out and in.
import { useState } from 'preact/hooks';
import { call, read, seg } from '../lib/api';
import { count } from '../lib/format';
import { refreshQueues } from '../lib/queues';
import { refresh } from '../lib/watch';
import { Field, Page } from '../parts/bits';
import { Failure, tell, useAction } from '../parts/dialog';
import { useVhosts } from '../parts/vhost-select';

const NOUNS = ['users', 'vhosts', 'permissions', 'policies', 'exchanges', 'queues', 'bindings'] as const;

type Definitions = { [noun in (typeof NOUNS)[number]]?: unknown[] };

const sums = (definitions: Definitions) =>
  NOUNS.map((noun) => [noun, definitions[noun]?.length ?? 0] as const)
    .filter(([, n]) => n)
    .map(([noun, n]) => count(n, noun.replace(/ies$/, 'y').replace(/s$/, ''), noun))
    .join(', ');

export function DefinitionsPage() {
  const vhosts = useVhosts();
  const [vhost, setVhost] = useState('');
  const [file, setFile] = useState<{ name: string; definitions: Definitions } | null>(null);
  const out = useAction();
  const into = useAction();
  const path = vhost ? `api/definitions/${seg(vhost)}` : 'api/definitions';

  const save = () =>
    out.run(async () => {
      const text = JSON.stringify(await read(path), null, 2);
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
      link.download = `leveret-${vhost ? vhost.replace(/\W+/g, '-') : 'definitions'}.json`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    });
  const choose = (event: Event) => {
    const chosen = (event.currentTarget as HTMLInputElement).files?.[0];
    setFile(null);
    if (!chosen) return;
    void into.run(async () => {
      let definitions: unknown;
      try {
        definitions = JSON.parse(await chosen.text());
      } catch {
        throw new Error(`${chosen.name} is not JSON.`);
      }
      setFile({ name: chosen.name, definitions: definitions as Definitions });
    });
  };
  const load = () =>
    into.run(async () => {
      if (!file) return;
      await call('POST', path, file.definitions);
      refresh();
      refreshQueues();
      tell(`${file.name} is in: ${sums(file.definitions)}.`);
      setFile(null);
    });
  return (
    <Page
      title="Definitions"
      about="Everything that was set up, but no messages: users, virtual hosts, permissions, policies, exchanges, queues and bindings, as RabbitMQ writes and reads them."
    >
      <section class="card">
        <Field label="Of">
          <select value={vhost} onChange={(event) => setVhost(event.currentTarget.value)}>
            <option value="">the whole broker</option>
            {vhosts.map((name) => (
              <option value={name}>the virtual host {name}</option>
            ))}
          </select>
        </Field>
      </section>
      <section class="charts">
        <div class="card">
          <h2>Out</h2>
          <p class="muted">
            A file that this broker and RabbitMQ can read. {!vhost && 'Passwords are in it as hashes: keep it safe.'}
          </p>
          <Failure error={out.error} />
          <div class="buttons">
            <button class="primary" disabled={out.busy} onClick={() => void save()}>
              Save a file
            </button>
          </div>
        </div>
        <div class="card">
          <h2>In</h2>
          <p class="muted">Adds what the file has. What is there with the same name and settings stays as it is.</p>
          <label class="field">
            <span>File</span>
            <input type="file" accept=".json,application/json" onChange={choose} />
          </label>
          {file && <p>It has {sums(file.definitions) || 'nothing'}.</p>}
          <Failure error={into.error} />
          <div class="buttons">
            <button class="primary" disabled={!file || into.busy} onClick={() => void load()}>
              Take them in
            </button>
          </div>
        </div>
      </section>
    </Page>
  );
}
