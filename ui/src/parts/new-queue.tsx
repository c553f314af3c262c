// Declaring a queue.
import { useState } from 'preact/hooks';
import { call, seg } from '../lib/api';
import { refreshQueues } from '../lib/queues';
import { go, to } from '../lib/route';
import { ArgumentsEditor, tableOf, type Argument, type Suggestion } from './arguments-editor';
import { Field } from './bits';
import { Dialog, Failure, tell, useAction } from './dialog';
import { VhostSelect, useVhost } from './vhost-select';

const SUGGESTIONS: Suggestion[] = [
  { name: 'x-message-ttl', type: 'number', about: 'Messages leave after so many milliseconds' },
  { name: 'x-expires', type: 'number', about: 'The queue goes when it was not used for so many milliseconds' },
  { name: 'x-max-length', type: 'number', about: 'No more messages than this' },
  { name: 'x-overflow', type: 'text', about: 'drop-head, reject-publish or reject-publish-dlx' },
  { name: 'x-dead-letter-exchange', type: 'text', about: 'Where messages go that expire, overflow or are rejected' },
  { name: 'x-dead-letter-routing-key', type: 'text', about: 'With which key they go there' },
  { name: 'x-max-priority', type: 'number', about: 'Priorities from 0 to this, 255 at most' },
  { name: 'x-single-active-consumer', type: 'yes or no', about: 'One consumer at a time gets all messages' },
  { name: 'x-delivery-limit', type: 'number', about: 'A message that came back so often leaves (quorum)' },
];

export function NewQueue({ onClose }: { onClose: () => void }) {
  const [vhost, setVhost] = useVhost();
  const [name, setName] = useState('');
  const [type, setType] = useState('');
  const [durable, setDurable] = useState(true);
  const [autoDelete, setAutoDelete] = useState(false);
  const [lines, setLines] = useState<Argument[]>([]);
  const { busy, error, run } = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const args = tableOf(lines);
      if (type) args['x-queue-type'] = type;
      await call('PUT', `api/queues/${seg(vhost)}/${seg(name)}`, {
        durable: durable || type === 'quorum' || type === 'stream',
        auto_delete: autoDelete,
        arguments: args,
      });
      refreshQueues();
      tell(`The queue “${name}” is there.`);
      onClose();
      go(to('queues', vhost, name));
    });
  };
  return (
    <Dialog title="New queue" onClose={onClose} wide>
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
              <option value="">the virtual host's default</option>
              <option value="classic">classic</option>
              <option value="quorum">quorum: counts deliveries</option>
              <option value="stream">stream: keeps what was read</option>
            </select>
          </Field>
        </div>
        <div class="row checks">
          <label>
            <input type="checkbox" checked={durable} onChange={() => setDurable(!durable)} /> Durable: survives a
            restart
          </label>
          <label>
            <input type="checkbox" checked={autoDelete} onChange={() => setAutoDelete(!autoDelete)} /> Auto-delete: goes
            with its last consumer
          </label>
        </div>
        <ArgumentsEditor label="Arguments" lines={lines} suggestions={SUGGESTIONS} onChange={setLines} />
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
