// The messages of a queue.
import { useEffect, useState } from 'preact/hooks';
import { call, seg } from '../lib/api';
import { integer } from '../lib/format';
import type { Message, QueueDetail } from '../lib/types';
import { Empty, Loading } from './bits';
import { Failure, useAction } from './dialog';
import { Icon } from './icon';
import { MessageLine } from './message';
import { searcher } from './table';

const COUNT = 50;
/** Octets of a body that are fetched. */
const TRUNCATE = 50_000;

export function Messages({ queue }: { queue: QueueDetail }) {
  const [messages, setMessages] = useState<Message[] | null>(null);
  const [limit, setLimit] = useState(COUNT);
  const [search, setSearch] = useState('');
  const { busy, error, run } = useAction();
  const path = `api/queues/${seg(queue.vhost)}/${seg(queue.name)}`;
  const load = (count: number) =>
    run(async () => {
      const body = { count, ackmode: 'ack_requeue_true', encoding: 'auto', truncate: TRUNCATE };
      setMessages(await call<Message[]>('POST', `${path}/get`, body));
    });
  useEffect(() => void load(limit), [limit]);
  const found = searcher(search);
  const shown = (messages ?? [])
    .map((message, at) => ({ message, at }))
    .filter(({ message }) =>
      found.test(`${message.routing_key} ${message.payload} ${JSON.stringify(message.properties)}`),
    );
  if (!messages) return error ? <Failure error={error} /> : <Loading />;
  return (
    <section class="messages">
      <div class="toolbar">
        <label class="search">
          <Icon name="search" />
          <input
            type="search"
            data-search
            placeholder="Search bodies, keys and properties"
            aria-label="Search messages"
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </label>
        <span class="muted" role="status">
          the first {integer(messages.length)} of {integer(queue.messages_ready)} ready
        </span>
        <span class="grow" />
        <button onClick={() => void load(limit)} disabled={busy}>
          <Icon name="refresh" /> Look again
        </button>
      </div>
      <Failure error={error} />
      {messages.length === 0 ? (
        <Empty title="No message is ready">
          <p>
            {queue.messages_unacknowledged > 0
              ? `${integer(queue.messages_unacknowledged)} are with consumers that have not acknowledged them yet.`
              : 'Publish one to see it here.'}
          </p>
        </Empty>
      ) : (
        <ol class="message-list">
          {shown.map(({ message, at }) => (
            <MessageLine key={at} message={message} at={at} vhost={queue.vhost} />
          ))}
        </ol>
      )}
      {messages.length >= limit && messages.length < queue.messages_ready && (
        <div class="buttons">
          <button onClick={() => setLimit(limit * 4)}>Show more</button>
        </div>
      )}
    </section>
  );
}
