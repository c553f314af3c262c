// Moving messages to another queue.
import { useState } from 'preact/hooks';
import { count, integer } from '../lib/format';
import { copy, move, type Moved } from '../lib/own';
import { useQueues } from '../lib/queues';
import { Field } from './bits';
import { Dialog, Failure, tell, useAction } from './dialog';

/** What came of it, in words. */
export function movedText({ moved = 0, copied = 0, to, refused, without_origin: lost = 0 }: Moved): string {
  const places = Object.entries(to).map(([name, n]) => `${integer(n)} to “${name}”`);
  const parts = [moved + copied ? `${places.join(', ')}.` : 'No message has moved.'];
  if (refused) parts.push(`${count(refused, 'message')} stayed, since the queue is full.`);
  if (lost) parts.push(`${count(lost, 'message')} stayed, since they never died, or their queue is gone.`);
  return parts.join(' ');
}

interface Props {
  vhost: string;
  name: string;
  /** None for all. */
  ids: number[];
  /** They stay where they are as well. */
  isCopy?: boolean;
  onDone: () => void;
  onClose: () => void;
}

export function Move({ vhost, name, ids, isCopy, onDone, onClose }: Props) {
  const verb = isCopy ? 'Copy' : 'Move';
  const [target, setTarget] = useState('');
  const queues = useQueues().all.filter((queue) => queue.vhost === vhost && queue.name !== name);
  const { busy, error, run } = useAction();
  const what = ids.length ? count(ids.length, 'message') : 'all ready messages';
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const moved = await (isCopy ? copy : move)(vhost, name, target, ids.length ? { ids } : {});
      if (moved) tell(movedText(moved), { bad: moved.refused > 0 });
      onDone();
      onClose();
    });
  };
  return (
    <Dialog title={`${verb} ${what}`} onClose={onClose}>
      <form onSubmit={submit}>
        <p class="muted">They keep their order, and are put at the end of the other queue.</p>
        <Field label="To the queue">
          <input
            autofocus
            required
            list="move-queues"
            spellcheck={false}
            value={target}
            onInput={(event) => setTarget(event.currentTarget.value)}
          />
        </Field>
        <datalist id="move-queues">
          {queues.slice(0, 500).map((queue) => (
            <option value={queue.name} />
          ))}
        </datalist>
        <Failure error={error} />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="primary" disabled={busy || !target}>
            {verb}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
