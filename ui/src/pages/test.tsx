// The broker of a test: its clock, what is to go wrong, what was found, how it was.
import { useState } from 'preact/hooks';
import { call } from '../lib/api';
import { count, duration, exactTime, integer } from '../lib/format';
import type { Lints } from '../lib/own';
import { to } from '../lib/route';
import { advance, type Clock, type Deadline, type Fault, type Snapshot, type Testing } from '../lib/testing';
import { refresh, useAnswer } from '../lib/watch';
import { Loading, Page } from '../parts/bits';
import { Confirm, Failure, tell, useAction } from '../parts/dialog';

const STEPS: [string, number][] = [
  ['1 s', 1000],
  ['10 s', 10_000],
  ['1 min', 60_000],
  ['1 h', 3_600_000],
  ['1 d', 86_400_000],
];

export function TestPage() {
  const answer = useAnswer<Testing>('/api/leveret/testing');
  const lints = useAnswer<Lints>('/api/leveret/lints')?.body;
  if (!answer) return <Loading />;
  const { clock, deadlines, faults, snapshots } = answer.body;
  return (
    <Page title="Test" about="What a test does to this broker, and what it finds.">
      <TheClock clock={clock} />
      <Deadlines deadlines={deadlines} clock={clock} />
      <Faults faults={faults} />
      <Snapshots snapshots={snapshots} />
      <Found lints={lints} />
    </Page>
  );
}

function TheClock({ clock }: { clock: Clock }) {
  const [ms, setMs] = useState('500');
  const { busy, error, run } = useAction();
  const move = (by: Parameters<typeof advance>[0]) =>
    void run(async () => {
      await advance(by);
      refresh();
    });
  const next = clock.next_deadline;
  return (
    <section class="card" aria-label="Clock">
      <h2>Clock</h2>
      <p>
        It is <b title={`${integer(clock.now)} ms`}>{exactTime(clock.now)}</b>
        {clock.manual ? ', and stands still until it is moved. ' : ', the time of the system. '}
        {next === null
          ? 'Nothing waits for a time.'
          : `The next deadline is ${next > clock.now ? `in ${duration(next - clock.now)}` : 'due'}.`}
      </p>
      {clock.manual && (
        <div class="row-buttons">
          <button class="primary" disabled={busy || next === null} onClick={() => move({ to_next_event: true })}>
            To the next deadline
          </button>
          {STEPS.map(([text, step]) => (
            <button disabled={busy} onClick={() => move({ ms: step })}>
              + {text}
            </button>
          ))}
          <form
            class="in-row"
            onSubmit={(event) => {
              event.preventDefault();
              move({ ms: Number(ms) });
            }}
          >
            <input
              aria-label="Milliseconds"
              type="number"
              min="0"
              required
              value={ms}
              onInput={(event) => setMs(event.currentTarget.value)}
            />
            <button disabled={busy}>+ ms</button>
          </form>
        </div>
      )}
      <Failure error={error} />
    </section>
  );
}

const SHOWN = 20;

/** What happens by itself, once its time has come. */
function Deadlines({ deadlines, clock }: { deadlines: Deadline[]; clock: Clock }) {
  const [all, setAll] = useState(false);
  const { busy, error, run } = useAction();
  if (!deadlines.length) return null;
  const shown = all ? deadlines : deadlines.slice(0, SHOWN);
  return (
    <section class="card" aria-label="Deadlines">
      <h2>What happens next</h2>
      <table class="plain">
        <thead>
          <tr>
            <th>In</th>
            <th>To</th>
            <th>What</th>
            {clock.manual && <th>
                <span class="hidden">Actions</span>
              </th>}
          </tr>
        </thead>
        <tbody>
          {shown.map((deadline, at) => (
            <tr key={at}>
              <td title={exactTime(deadline.at)}>
                {deadline.at > clock.now ? duration(deadline.at - clock.now) : 'due'}
              </td>
              <td>
                <Whom deadline={deadline} />
              </td>
              <td>{deadline.what}</td>
              {clock.manual && (
                <td class="num">
                  <button
                    disabled={busy || deadline.at <= clock.now}
                    onClick={() =>
                      void run(async () => {
                        await advance({ ms: deadline.at - clock.now });
                        refresh();
                      })
                    }
                  >
                    Go there
                  </button>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {deadlines.length > shown.length && (
        <div class="row-buttons">
          <button onClick={() => setAll(true)}>Show {integer(deadlines.length - shown.length)} more</button>
        </div>
      )}
      <Failure error={error} />
    </section>
  );
}

function Whom({ deadline: { kind, vhost, name } }: { deadline: Deadline }) {
  const address = { queue: 'queues', exchange: 'exchanges' }[kind];
  if (!address || !name) return <span class="muted">{kind === 'task' ? 'a connection or a test' : `a ${kind}`}</span>;
  return (
    <>
      {kind} <a href={to(address, vhost, name)}>{name}</a>
    </>
  );
}

function Faults({ faults }: { faults: Fault[] }) {
  const { busy, error, run } = useAction();
  const act = (done: string, action: () => Promise<unknown>) =>
    void run(async () => {
      await action();
      refresh();
      tell(done);
    });
  return (
    <section class="card" aria-label="Faults">
      <h2>Faults</h2>
      {!faults.length && (
        <p class="muted">
          Nothing is to go wrong. A test declares faults: that confirms are lost, connections drop, deliveries come late.
        </p>
      )}
      {faults.length > 0 && (
        <table class="plain">
          <thead>
            <tr>
              <th>Fault</th>
              <th class="num" title="how often it might have happened">
                Met
              </th>
              <th class="num" title="how often it happened">
                Fired
              </th>
              <th>
                <span class="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {faults.map((fault) => (
              <tr key={fault.id}>
                <td>{fault.text}</td>
                <td class="num">{integer(fault.seen)}</td>
                <td class="num">{fault.fired ? integer(fault.fired) : <span class="faint">never</span>}</td>
                <td class="num">
                  <button
                    disabled={busy}
                    onClick={() =>
                      act('What it held back goes on.', () => call('POST', `api/leveret/faults/${fault.id}/release`))
                    }
                  >
                    Release
                  </button>{' '}
                  <button
                    disabled={busy}
                    onClick={() => act('The fault is taken back.', () => call('DELETE', `api/leveret/faults/${fault.id}`))}
                  >
                    Take back
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Failure error={error} />
    </section>
  );
}

function Snapshots({ snapshots }: { snapshots: Snapshot[] }) {
  const [restoring, setRestoring] = useState<Snapshot | null>(null);
  const { busy, error, run } = useAction();
  return (
    <section class="card" aria-label="Snapshots">
      <h2>Snapshots</h2>
      <p class="muted">The whole broker at a moment: queues with their messages, exchanges, users, policies.</p>
      <div class="row-buttons">
        <button
          disabled={busy}
          onClick={() =>
            void run(async () => {
              await call('POST', 'api/leveret/snapshots');
              refresh();
            })
          }
        >
          Take one now
        </button>
      </div>
      {snapshots.length > 0 && (
        <table class="plain">
          <thead>
            <tr>
              <th>Snapshot</th>
              <th>Taken at</th>
              <th class="num">Queues</th>
              <th class="num">Messages</th>
              <th>
                <span class="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {snapshots.map((snapshot) => (
              <tr key={snapshot.id}>
                <td>{snapshot.id}</td>
                <td>{exactTime(snapshot.taken_at)}</td>
                <td class="num">{integer(snapshot.queues)}</td>
                <td class="num">{integer(snapshot.messages)}</td>
                <td class="num">
                  <button onClick={() => setRestoring(snapshot)}>Restore…</button>{' '}
                  <button
                    onClick={() =>
                      void run(async () => {
                        await call('DELETE', `api/leveret/snapshots/${snapshot.id}`);
                        refresh();
                      })
                    }
                  >
                    Forget
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Failure error={error} />
      {restoring && (
        <Confirm
          title={`Restore snapshot ${restoring.id}`}
          word="restore"
          action="Restore"
          onClose={() => setRestoring(null)}
          onConfirm={async () => {
            await call('POST', `api/leveret/snapshots/${restoring.id}/restore`);
            refresh();
            tell(`The broker is what it was in snapshot ${restoring.id}.`);
          }}
        >
          <p>
            All queues, messages, exchanges, users and policies become what they were:{' '}
            {count(restoring.queues, 'queue')} with {count(restoring.messages, 'message')}. What came since is gone.
          </p>
        </Confirm>
      )}
    </section>
  );
}

function Found({ lints }: { lints: Lints | undefined }) {
  if (!lints) return null;
  return (
    <section class="card" aria-label="Lint findings">
      <h2>Lint findings</h2>
      {!lints.enabled && <p class="muted">Nothing is looked for. leveret test --lint warn looks for what is seldom meant.</p>}
      {lints.enabled && !lints.found.length && <p class="muted">Nothing was found.</p>}
      <ul class="plain-list">
        {lints.found.map(({ subject, text }) => (
          <li>
            <b>{subject}</b>: {text}
          </li>
        ))}
      </ul>
    </section>
  );
}
