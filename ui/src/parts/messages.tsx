// The messages of a queue: looking at them takes nothing away.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { deaths } from '../lib/deaths';
import { count, integer } from '../lib/format';
import { drop, look, sendBack, type Seen } from '../lib/own';
import { to } from '../lib/route';
import type { QueueDetail } from '../lib/types';
import { brokerNow, refresh } from '../lib/watch';
import { Empty, Loading, When } from './bits';
import { Confirm, Failure, later, tell, useAction } from './dialog';
import { Icon } from './icon';
import { MessageLine, propertiesOf } from './message';
import { movedText, Move } from './move';
import { searcher } from './table';

const COUNT = 50;
const COUNT_MAX = 1000;

const isDead = (message: Seen) => deaths(propertiesOf(message).headers).length > 0;

export function Messages({ queue, what }: { queue: QueueDetail; what: 'messages' | 'unacked' }) {
  const [messages, setMessages] = useState<Seen[] | null>(null);
  const [limit, setLimit] = useState(COUNT);
  const [from, setFrom] = useState(0);
  const [search, setSearch] = useState('');
  const [selected, setSelected] = useState(new Set<number>());
  const [moving, setMoving] = useState<{ ids: number[]; isCopy: boolean } | null>(null);
  const [dropping, setDropping] = useState<number[] | null>(null);
  const { busy, error, run } = useAction();
  const { vhost, name } = queue;
  const load = () =>
    run(async () => {
      const seen = await look(vhost, name, what, from, limit);
      setMessages(seen);
      setSelected((before) => new Set(seen.map(({ id }) => id).filter((id) => before.has(id))));
    });
  useEffect(() => void load(), [limit, what, from]);

  const isStream = queue.type === 'stream';
  const found = searcher(search);
  const shown = (messages ?? [])
    .map((message, at) => ({ message, at: isStream ? message.id : at }))
    .filter(({ message }) =>
      found.test(`${message.routing_key} ${message.payload} ${JSON.stringify(message.properties)}`),
    );
  const picked = shown.filter(({ message }) => selected.has(message.id)).map(({ message }) => message);
  const toggle = (id: number) => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    setSelected(next);
  };
  const done = () => {
    setSelected(new Set());
    refresh();
    void load();
  };
  /** Dead letters, some or all, go back where they died. There is time to think again. */
  const back = (letters: Seen[] | null) => {
    const where = letters ? { ids: letters.map(({ id }) => id) } : {};
    const what = letters ? count(letters.length, 'message') : 'All dead letters';
    later(`${what} will go back to where they died.`, async () => {
      const moved = await sendBack(vhost, name, where);
      done();
      return moved ? movedText(moved) : '';
    });
  };

  if (!messages) return error ? <Failure error={error} /> : <Loading />;
  const total = what === 'messages' ? queue.messages_ready : queue.messages_unacknowledged;
  const dead = messages.filter(isDead);
  const isReady = what === 'messages' && !isStream;
  const all = shown.length > 0 && picked.length === shown.length;
  return (
    <section class="messages">
      <div class="toolbar">
        <label class="search">
          <Icon name="search" />
          <input
            type="search"
            data-search
            placeholder="Search the messages"
            aria-label="Search messages"
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </label>
        <span class="muted" role="status">
          {search ? `${integer(shown.length)} of ` : ''}
          {from ? '' : 'the first '}
          {integer(messages.length)} of {integer(total)}
        </span>
        <span class="grow" />
        {isReady && dead.length > 0 && (
          <button onClick={() => back(picked.length ? picked.filter(isDead) : null)}>
            <Icon name="back" /> Send {picked.length ? integer(picked.length) : 'all dead letters'} back
          </button>
        )}
        {isReady && messages.length > 0 && (
          <>
            <button onClick={() => setMoving({ ids: picked.map(({ id }) => id), isCopy: false })}>
              <Icon name="right" /> Move {picked.length ? integer(picked.length) : 'all'}
            </button>
            <button onClick={() => setMoving({ ids: picked.map(({ id }) => id), isCopy: true })}>
              Copy {picked.length ? integer(picked.length) : 'all'}
            </button>
            {picked.length > 0 && (
              <button class="danger" onClick={() => setDropping(picked.map(({ id }) => id))}>
                Delete {integer(picked.length)}
              </button>
            )}
          </>
        )}
        {isStream && <Place from={from} total={Math.max(total, from + messages.length)} onGo={setFrom} />}
        <button aria-label="Look again" title="Look again" onClick={() => void load()} disabled={busy}>
          <Icon name="refresh" />
        </button>
      </div>
      <Failure error={error} />
      {messages.length === 0 ? (
        <Nothing queue={queue} what={what} />
      ) : (
        <>
          {isReady && (
            <label class="muted small select-all">
              <input
                type="checkbox"
                checked={all}
                onChange={() => setSelected(all ? new Set() : new Set(shown.map(({ message }) => message.id)))}
              />{' '}
              Select all that are shown
            </label>
          )}
          <ol class="message-list">
            {shown.map(({ message, at }) => (
              <MessageLine
                key={message.id}
                message={message}
                at={at}
                vhost={vhost}
                about={<Standing message={message} />}
                select={
                  isReady && (
                    <input
                      type="checkbox"
                      aria-label={`Select message ${at + 1}`}
                      checked={selected.has(message.id)}
                      onChange={() => toggle(message.id)}
                    />
                  )
                }
                actions={
                  isReady && (
                    <>
                      {isDead(message) && <button onClick={() => back([message])}>Send it back</button>}
                      <button onClick={() => setMoving({ ids: [message.id], isCopy: false })}>Move it</button>
                    </>
                  )
                }
              />
            ))}
          </ol>
        </>
      )}
      {messages.length >= limit && messages.length < total && limit < COUNT_MAX && (
        <div class="buttons">
          <button onClick={() => setLimit(Math.min(limit * 4, COUNT_MAX))}>Show more</button>
        </div>
      )}
      {moving && <Move vhost={vhost} name={name} {...moving} onDone={done} onClose={() => setMoving(null)} />}
      {dropping && (
        <Confirm
          title={`Delete ${count(dropping.length, 'message')}`}
          word={name}
          action="Delete"
          onClose={() => setDropping(null)}
          onConfirm={async () => {
            const gone = await drop(vhost, name, { ids: dropping });
            tell(`${count(gone?.dropped ?? 0, 'message')} deleted.`);
            done();
          }}
        >
          <p>
            {count(dropping.length, 'message')} of “{name}” will be gone for good. They are not dead-lettered.
          </p>
        </Confirm>
      )}
    </section>
  );
}

/** Where in a stream the reading begins, counted from the first message that is kept. */
function Place({ from, total, onGo }: { from: number; total: number; onGo: (from: number) => void }) {
  const go = (to: number) => onGo(Math.max(Math.min(to, total - 1), 0));
  return (
    <>
      <button disabled={from === 0} onClick={() => go(from - COUNT)}>
        Earlier
      </button>
      <input
        class="place"
        type="number"
        min="0"
        aria-label="Messages to skip"
        value={from}
        onChange={(event) => go(Number(event.currentTarget.value))}
      />
      <button disabled={from + COUNT >= total} onClick={() => go(from + COUNT)}>
        Later
      </button>
    </>
  );
}

/** Who has a message, since when, and when it will be gone. */
function Standing({ message }: { message: Seen }) {
  const parts: ComponentChildren[] = [];
  if (message.channel_details) {
    parts.push(
      <>
        with <a href={to('channels', message.channel_details.name)}>{message.consumer_tag ?? 'a basic.get'}</a> of{' '}
        {message.channel_details.user}
      </>,
    );
  }
  if (message.delivered_at) {
    parts.push(
      <>
        since <When at={message.delivered_at} now={brokerNow()} />
      </>,
    );
  }
  if (message.expires_at) {
    parts.push(
      <>
        expires <When at={message.expires_at} now={brokerNow()} />
      </>,
    );
  }
  if (!parts.length) return null;
  return (
    <p class="about">
      {parts.map((part, at) => (
        <>
          {at > 0 && ' · '}
          {part}
        </>
      ))}
    </p>
  );
}

function Nothing({ queue, what }: { queue: QueueDetail; what: 'messages' | 'unacked' }) {
  if (what === 'unacked') {
    return (
      <Empty title="Nobody holds a message">
        <p>Messages are here from their delivery until their consumer acknowledges, rejects or loses them.</p>
      </Empty>
    );
  }
  return (
    <Empty title="No message is ready">
      <p>
        {queue.messages_unacknowledged > 0
          ? `${integer(queue.messages_unacknowledged)} are with consumers that have not acknowledged them yet.`
          : 'Publish one to see it here.'}
      </p>
    </Empty>
  );
}
