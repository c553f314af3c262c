// Messages that an exchange keeps until they are due.
import { call } from '../lib/api';
import { count, integer } from '../lib/format';
import { delayedPath, type Delayed } from '../lib/own';
import { brokerNow, refresh, useAnswer } from '../lib/watch';
import { Empty, Loading, When } from './bits';
import { later, tell } from './dialog';
import { MessageLine, propertiesOf } from './message';

interface Kept {
  total: number;
  messages: Delayed[];
}

/** Without what the exchange keeps of the delay: when a message is due is told beside it. */
function withoutDelay(message: Delayed): Delayed {
  const { headers, ...properties } = propertiesOf(message);
  const { 'x-delay': _, ...others } = headers ?? {};
  return { ...message, properties: Object.keys(others).length ? { ...properties, headers: others } : properties };
}

export function DelayedMessages({ vhost, name }: { vhost: string; name: string }) {
  const path = delayedPath(vhost, name);
  const answer = useAnswer<Kept>(`/${path}?truncate=50000`);
  if (!answer) return <Loading />;
  if (answer.status !== 200) return <Empty title="You may not see these messages" />;
  const { total, messages } = answer.body;
  const send = (id?: number) =>
    void call<{ released: number }>('POST', id === undefined ? `${path}/release` : `${path}/${id}/release`).then(
      (answer) => {
        refresh();
        tell(`${count(answer?.released ?? 0, 'message')} sent on.`);
      },
      (error: Error) => tell(error.message, { bad: true }),
    );
  const cancel = (id?: number) =>
    later(`${id === undefined ? 'All delayed messages' : 'The message'} will be dropped.`, async () => {
      const answer = await call<{ cancelled: number }>('DELETE', id === undefined ? path : `${path}/${id}`);
      refresh();
      return `${count(answer?.cancelled ?? 0, 'message')} dropped.`;
    });
  if (!total) {
    return (
      <Empty title="No message is waiting">
        <p>A message with the header x-delay is kept here for so many milliseconds, and then routed.</p>
      </Empty>
    );
  }
  return (
    <section class="messages">
      <div class="toolbar">
        <span class="muted" role="status">
          {messages.length < total && `the next ${integer(messages.length)} of `}
          {count(total, 'message')}
        </span>
        <span class="grow" />
        <button onClick={() => send()}>Send all now</button>
        <button class="danger" onClick={() => cancel()}>
          Drop all
        </button>
      </div>
      <ol class="message-list">
        {messages.map((message, at) => (
          <MessageLine
            key={message.id}
            message={{ ...withoutDelay(message), redelivered: false }}
            at={at}
            vhost={vhost}
            note={<When at={message.due_at} now={brokerNow()} />}
            actions={
              <>
                <button onClick={() => send(message.id)}>Send it now</button>
                <button class="danger" onClick={() => cancel(message.id)}>
                  Drop it
                </button>
              </>
            }
          />
        ))}
      </ol>
    </section>
  );
}
