// Holding a queue, and letting some of its messages go.
import { useState } from 'preact/hooks';
import { hold, release } from '../lib/own';
import { may } from '../lib/session';
import type { QueueDetail } from '../lib/types';
import { refresh } from '../lib/watch';
import { tell } from './dialog';

const complain = (error: Error) => tell(error.message, { bad: true });

export function HoldButton({ queue }: { queue: QueueDetail }) {
  if (!may.setPolicies() || queue.held || queue.type === 'stream') return null;
  const set = (held: boolean) => hold(queue.vhost, queue.name, held).then(refresh);
  const run = () => set(true).then(() => tell(`“${queue.name}” is held.`, { undo: () => set(false) }), complain);
  return (
    <button title="It will take messages and give none out" onClick={() => void run()}>
      Hold
    </button>
  );
}

export function Held({ queue }: { queue: QueueDetail }) {
  const [count, setCount] = useState('1');
  if (!queue.held) return null;
  const run = (action: () => Promise<unknown>, text: string) =>
    void action().then(() => {
      refresh();
      tell(text);
    }, complain);
  return (
    <div class="held" role="status">
      <b>This queue is held:</b> it takes messages and gives none out.
      <span class="grow" />
      {may.setPolicies() && (
        <>
          <input
            type="number"
            min="1"
            aria-label="How many messages to release"
            value={count}
            onInput={(event) => setCount(event.currentTarget.value)}
          />
          <button
            onClick={() => run(() => release(queue.vhost, queue.name, Number(count)), `The next ${count} may go.`)}
          >
            Release
          </button>
          <button class="primary" onClick={() => run(() => hold(queue.vhost, queue.name, false), 'The queue works again.')}>
            End the hold
          </button>
        </>
      )}
    </div>
  );
}
