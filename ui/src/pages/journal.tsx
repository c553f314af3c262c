// What has happened, in order, as a sequence diagram that can be narrowed to one message's life.
import { useMemo, useState } from 'preact/hooks';
import { call } from '../lib/api';
import { integer } from '../lib/format';
import { setQuery, useRoute } from '../lib/route';
import { lanes, step, type Journal, type JournalEvent, type Step } from '../lib/testing';
import { refresh, useAnswer } from '../lib/watch';
import { Empty, Loading, Page } from '../parts/bits';
import { tell } from '../parts/dialog';
import { searcher } from '../parts/table';

const LANE_PX = 132;
const ROW_PX = 34;
const SHOWN = 300;

export function JournalPage() {
  const { query } = useRoute();
  const message = query.get('message');
  const address = `/api/leveret/journal?last=${SHOWN}${message ? `&message=${encodeURIComponent(message)}` : ''}`;
  const answer = useAnswer<Journal>(address);
  const [search, setSearch] = useState('');
  const journal = answer?.status === 200 ? answer.body : undefined;
  const rows = useMemo(() => {
    const wanted = searcher(search);
    const rows: { event: JournalEvent; step: Step }[] = [];
    for (const event of journal?.events ?? []) {
      const drawn = step(event);
      if (drawn && wanted.test(event.line)) rows.push({ event, step: drawn });
    }
    return rows;
  }, [journal, search]);
  const all = useMemo(() => lanes(rows.map(({ step }) => step)), [rows]);
  return (
    <Page
      title="Journal"
      about={
        message
          ? 'The life of one message, in whatever queues it was.'
          : 'What has happened, oldest first. Choose a line to follow its message.'
      }
      actions={
        <>
          {message && <button onClick={() => setQuery({ message: null })}>All messages</button>}
          <button
            onClick={() =>
              void call('DELETE', 'api/leveret/journal').then(() => {
                refresh();
                tell('The journal is empty.');
              })
            }
          >
            Clear
          </button>
        </>
      }
    >
      {!answer && <Loading />}
      {answer && !journal && (
        <Empty title="The journal is off">
          <p>
            <code>leveret test</code> has it on; in a program <code>Broker::builder().journal(1000)</code> turns it on.
          </p>
        </Empty>
      )}
      {journal && (
        <>
          <div class="toolbar">
            <input
              type="search"
              aria-label="Search the journal"
              placeholder="Search, by regular expression"
              value={search}
              onInput={(event) => setSearch(event.currentTarget.value)}
            />
            <span class="muted">
              {integer(rows.length)} shown
              {journal.skipped > 0 && `, ${integer(journal.skipped)} older ones are not`}
            </span>
          </div>
          {!rows.length && (
            <Empty title="Nothing has happened">
              <p>Whatever a client does to this broker appears here at once.</p>
            </Empty>
          )}
          {rows.length > 0 && <Diagram rows={rows} lanes={all} />}
        </>
      )}
    </Page>
  );
}

function Diagram({ rows, lanes }: { rows: { event: JournalEvent; step: Step }[]; lanes: string[] }) {
  const width = lanes.length * LANE_PX;
  const x = (lane: string) => lanes.indexOf(lane) * LANE_PX + LANE_PX / 2;
  const begin = rows[0]?.event.at ?? 0;
  return (
    <div class="sequence" tabIndex={0} role="region" aria-label="Sequence of events">
      <div class="sequence-head" aria-hidden="true">
        <span class="sequence-time" />
        {lanes.map((lane) => (
          <span style={`width:${LANE_PX}px`} title={lane}>
            {lane}
          </span>
        ))}
      </div>
      <ol>
        {rows.map(({ event, step }) => (
          <li key={event.number} class={step.bad ? 'bad' : ''}>
            <button
              class="quiet"
              title={`${event.line.trim()}${event.body ? `\n${event.body}` : ''}`}
              disabled={event.message === null}
              onClick={() => setQuery({ message: String(event.message) })}
            >
              <span class="hidden">{event.line.trim()}</span>
              <span class="sequence-time" aria-hidden="true">
                +{((event.at - begin) / 1000).toFixed(3)} s
              </span>
              <svg width={width} height={ROW_PX} aria-hidden="true">
                {lanes.map((lane) => (
                  <line class="lane" x1={x(lane)} x2={x(lane)} y1={0} y2={ROW_PX} />
                ))}
                {step.to.map((to) => (
                  <Arrow from={x(step.from)} to={x(to)} />
                ))}
                <text x={labelAt(x(step.from), step.to.map(x))} y={ROW_PX / 2 - 5}>
                  {step.label}
                </text>
              </svg>
            </button>
          </li>
        ))}
      </ol>
    </div>
  );
}

/** The label stands over the line, or beside the dot. */
function labelAt(from: number, to: number[]): number {
  const far = to.reduce((far, x) => (Math.abs(x - from) > Math.abs(far - from) ? x : far), from);
  return far === from ? from : (from + far) / 2;
}

function Arrow({ from, to }: { from: number; to: number }) {
  const y = ROW_PX / 2 + 5;
  if (from === to) return <circle cx={from} cy={y} r={4} />;
  const back = to > from ? -7 : 7;
  return (
    <>
      <line class="step" x1={from} x2={to} y1={y} y2={y} />
      <path d={`M${to} ${y}l${back} -4v8z`} />
    </>
  );
}
