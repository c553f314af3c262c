// What curves are drawn of: the last minute second by second, as the page sees it, and the hour and
// the day as the broker remembers them.
import { useEffect, useRef, useState } from 'preact/hooks';
import { read } from './api';
import { brokerNow, onTick } from './watch';

export type Range = 'minute' | 'hour' | 'day';

export interface Sample {
  at: number;
  values: Record<string, number>;
}

interface History {
  names: string[];
  samples: number[][];
}

const SPANS: Record<Range, { age: number; step: number }> = {
  minute: { age: 60, step: 5 },
  hour: { age: 3600, step: 60 },
  day: { age: 86_400, step: 1800 },
};

/** Seconds that are kept of what the page sees. */
const KEPT = 120;

async function past(path: string, range: Range): Promise<Sample[]> {
  const { age, step } = SPANS[range];
  const { names, samples } = await read<History>(`${path}?age=${age}&step=${step}`);
  const rows = samples.map(([at = 0, ...values]) => ({
    at,
    values: Object.fromEntries(names.map((name, index) => [name, values[index] ?? 0])),
  }));
  return rows.reverse();
}

export interface Curves {
  times: number[];
  /** How fast a counter rose, per second. */
  rate: (...names: string[]) => (number | null)[];
  level: (name: string) => (number | null)[];
}

function curves(samples: Sample[]): Curves {
  const shown = samples.slice(1);
  return {
    times: shown.map((sample) => sample.at),
    rate: (...names) =>
      shown.map((sample, index) => {
        const before = samples[index];
        if (!before) return null;
        const seconds = Math.max(sample.at - before.at, 1) / 1000;
        const sum = (of: Sample) => names.reduce((total, name) => total + (of.values[name] ?? 0), 0);
        return Math.max(sum(sample) - sum(before), 0) / seconds;
      }),
    level: (name) => shown.map((sample) => sample.values[name] ?? 0),
  };
}

/** Follows one thing. `now` gives its figures at every second, if they are there. */
export function useCurves(path: string | null, range: Range, now: () => Record<string, number> | null): Curves {
  const seen = useRef<Sample[]>([]);
  const [older, setOlder] = useState<Sample[]>([]);
  const [, draw] = useState(0);
  const current = useRef(now);
  current.current = now;

  useEffect(() => {
    seen.current = [];
    return onTick(() => {
      const values = current.current();
      const at = brokerNow();
      const last = seen.current[seen.current.length - 1];
      if (!values || (last && last.at >= at)) return;
      seen.current = [...seen.current.slice(-KEPT), { at, values }];
      draw((n) => n + 1);
    });
  }, [path]);

  useEffect(() => {
    setOlder([]);
    if (!path) return;
    let over = false;
    const load = () =>
      void past(path, range).then(
        (samples) => !over && setOlder(samples),
        () => {},
      );
    load();
    const timer = range === 'minute' ? 0 : setInterval(load, 30_000);
    return () => {
      over = true;
      clearInterval(timer);
    };
  }, [path, range]);

  if (range !== 'minute') return curves(older);
  const first = seen.current[0]?.at ?? Infinity;
  const from = brokerNow() - 61_000;
  const all = [...older.filter((sample) => sample.at < first - 500), ...seen.current];
  return curves(all.filter((sample) => sample.at >= from));
}
