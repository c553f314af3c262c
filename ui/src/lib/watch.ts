// Answers of the API that are kept up to date while a part of the page looks at them.
import { useLayoutEffect, useState } from 'preact/hooks';
import { may, onSession, session } from './session';
import { Stream, type LiveState } from './live';

export interface Answer<T = unknown> {
  status: number;
  body: T;
  /** The broker's time of the answer, in milliseconds. */
  at: number;
}

interface Event {
  at: number;
  answers: Record<string, { status: number; body: unknown }>;
}

const answers = new Map<string, Answer>();
const wanted = new Map<string, number>();
const listeners = new Set<() => void>();
let pending = 0;
/** The broker's time of the last event. */
let now = 0;

const tell = () => {
  for (const listener of listeners) listener();
};

const stream = new Stream<Event>((event) => {
  now = event.at;
  for (const [address, answer] of Object.entries(event.answers)) {
    answers.set(address, { ...answer, at: event.at });
  }
  tell();
}, tell);

/** What every page shows something of. */
const ALWAYS = () => (may.monitor() ? ['/api/overview', '/api/nodes'] : ['/api/overview']);

function restream() {
  pending = 0;
  if (!session()) {
    answers.clear();
    stream.stop();
    return;
  }
  const addresses = [...new Set([...ALWAYS(), ...wanted.keys()])].sort();
  for (const address of answers.keys()) if (!addresses.includes(address)) answers.delete(address);
  stream.start(addresses.map((address) => `watch=${encodeURIComponent(address)}`).join('&'));
}

// Parts come and go together: one new stream for all of them.
const restreamSoon = () => {
  pending ||= setTimeout(restream, 0);
};

onSession(() => {
  // What is told to somebody else, or was told before, does not count: an answer that does not
  // change comes once in a stream.
  answers.clear();
  stream.stop();
  restreamSoon();
});

/** Asks for everything anew, as after a change whose outcome is to be seen at once. */
export const refresh = () => stream.restart();

function useTick() {
  const [, set] = useState(0);
  useLayoutEffect(() => {
    const listener = () => set((n) => n + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
}

/** The answer to GET of an address such as `/api/vhosts`; undefined until it is there. */
export function useAnswer<T>(address: string | null): Answer<T> | undefined {
  useTick();
  // Not when it is painted: all that goes and comes with a page is known before the next stream.
  useLayoutEffect(() => {
    if (!address) return;
    wanted.set(address, (wanted.get(address) ?? 0) + 1);
    restreamSoon();
    return () => {
      const users = (wanted.get(address) ?? 1) - 1;
      if (users) wanted.set(address, users);
      else wanted.delete(address);
      restreamSoon();
    };
  }, [address]);
  return address ? (answers.get(address) as Answer<T> | undefined) : undefined;
}

/** Whether the page is up to date, and the broker's time. */
export function useLive(): { state: LiveState; now: number } {
  useTick();
  return { state: stream.state, now };
}

/** The answer as it is now, for what does not wait until it is drawn. */
export const peek = <T>(address: string) => answers.get(address) as Answer<T> | undefined;

/** Called with every event, for what draws by itself. */
export function onTick(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export const brokerNow = () => now || Date.now();
