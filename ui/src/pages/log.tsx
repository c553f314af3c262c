// The last lines of the server's log, as they are written.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { count, exactTime, integer } from '../lib/format';
import { setQuery, useRoute } from '../lib/route';
import { useAnswer } from '../lib/watch';
import { Empty, Loading, Page, Tag } from '../parts/bits';
import { Icon } from '../parts/icon';

interface Line {
  number: number;
  at: number;
  level: string;
  text: string;
}

interface Log {
  /** How much is logged. */
  level: string;
  forgotten: number;
  /** Lines that match, shown or not. */
  found: number;
  lines: Line[];
}

const SHOWN = 500;
const PAUSE_MS = 250;

const LEVELS: [string, string][] = [
  ['', 'all lines'],
  ['info', 'info and worse'],
  ['warning', 'warnings and errors'],
  ['error', 'errors'],
];

const KINDS: Record<string, string> = { error: 'bad', warning: 'warn' };

/** What was typed, once nobody types any more. */
function useRest(text: string): string {
  const [rest, set] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => set(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return rest;
}

export function LogPage() {
  const { query } = useRoute();
  const level = query.get('level') ?? '';
  const text = query.get('q') ?? '';
  const wanted = useRest(text);
  const address = `/api/leveret/log?last=${SHOWN}&level=${level}&text=${encodeURIComponent(wanted)}`;
  const answer = useAnswer<Log>(address);
  const log = answer?.status === 200 ? answer.body : undefined;
  // While another address is on its way what was there stays.
  const last = useRef<Log | null>(null);
  if (log) last.current = log;
  const shown = log ?? (answer ? null : last.current);
  return (
    <Page title="Log" about="What the server has written last, the newest at the end.">
      <div class="toolbar">
        <label class="search">
          <Icon name="search" />
          <input
            type="search"
            data-search
            placeholder="Search the log"
            aria-label="Search the log"
            value={text}
            onInput={(event) => setQuery({ q: event.currentTarget.value || null })}
          />
        </label>
        <select
          aria-label="How bad"
          value={level}
          onChange={(event) => setQuery({ level: event.currentTarget.value || null })}
        >
          {LEVELS.map(([value, title]) => (
            <option value={value}>{title}</option>
          ))}
        </select>
        <span class="grow" />
        {shown && (
          <span class="muted" role="status">
            {shown.found > shown.lines.length
              ? `the last ${integer(shown.lines.length)} of ${count(shown.found, 'line')}`
              : count(shown.found, 'line')}
            {` · level ${shown.level}`}
          </span>
        )}
      </div>
      {!answer && !shown && <Loading />}
      {answer && answer.status === 400 && (
        <Empty title="This broker keeps no log">
          <p>It is a part of a program, which logs by itself. A server, leveret serve, keeps its last 2,000 lines.</p>
        </Empty>
      )}
      {answer && answer.status !== 200 && answer.status !== 400 && (
        <Empty title="You may not see the log">
          <p>It tells of all virtual hosts: that takes the tag monitoring or administrator.</p>
        </Empty>
      )}
      {shown && shown.lines.length === 0 && (
        <Empty title={wanted || level ? 'No line is like that' : 'Nothing was logged yet'}>
          <p>
            The server logs as much as its level says: {shown.level}. <code>leveret ctl set_log_level debug</code> changes
            it while it runs.
          </p>
        </Empty>
      )}
      {shown && shown.lines.length > 0 && <Lines lines={shown.lines} />}
    </Page>
  );
}

function Lines({ lines }: { lines: Line[] }) {
  const box = useRef<HTMLDivElement>(null);
  // Whoever looks at the end stays there; whoever reads above is left where he is.
  const follows = useRef(true);
  useLayoutEffect(() => {
    const element = box.current;
    if (element && follows.current) element.scrollTop = element.scrollHeight;
  }, [lines]);
  return (
    <div
      ref={box}
      class="log"
      tabIndex={0}
      role="log"
      aria-label="Lines of the log"
      onScroll={(event) => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        follows.current = scrollHeight - scrollTop - clientHeight < 40;
      }}
    >
      <ol>
        {lines.map((line) => (
          <li key={line.number} class={KINDS[line.level] ?? ''}>
            <time dateTime={new Date(line.at).toISOString()} title={exactTime(line.at)}>
              {clock(line.at)}
            </time>
            <Tag kind={KINDS[line.level]}>{line.level}</Tag>
            <span class="line-text">{line.text}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

const clock = (at: number) =>
  new Date(at).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
