// What goes on in the broker, as it goes on: streams of changes, one event a second. A stream ends
// when the page is hidden, and begins again when it is seen, or when the broker is back.
import { logOut, session } from './session';

const AGAIN_MS = 1000;
const AGAIN_MS_MAX = 10_000;
/** A stream that says nothing for so long, from being asked for, is dead. */
const SILENCE_MS = 15_000;

export type LiveState = 'off' | 'connecting' | 'on' | 'lost';

export class Stream<Event> {
  private abort: AbortController | null = null;
  private timer = 0;
  private failures = 0;
  private query = '';
  private wanted = false;
  state: LiveState = 'off';

  constructor(
    private readonly onEvent: (event: Event, isFirst: boolean) => void,
    private readonly onState: () => void,
  ) {
    document.addEventListener('visibilitychange', () => this.restart());
    addEventListener('online', () => this.restart());
  }

  /** Streams this from now on. */
  start(query: string) {
    if (this.wanted && this.query === query) return;
    this.query = query;
    this.wanted = true;
    this.restart();
  }

  stop() {
    this.wanted = false;
    this.restart();
  }

  restart() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
    this.failures = 0;
    if (this.wanted && !document.hidden && session()) void this.run();
    else this.become('off');
  }

  private become(state: LiveState) {
    if (this.state === state) return;
    this.state = state;
    this.onState();
  }

  private async run() {
    const login = session();
    if (!login) return;
    const abort = new AbortController();
    this.abort = abort;
    let silence = 0;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), SILENCE_MS);
    };
    if (this.state !== 'lost') this.become('connecting');
    try {
      alive();
      const response = await fetch(`api/leveret/live?${this.query}`, {
        headers: { authorization: login.header, accept: 'text/event-stream' },
        cache: 'no-store',
        signal: abort.signal,
      });
      if (response.status === 401) return logOut();
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      await this.take(response.body.getReader(), abort.signal, alive);
    } catch {
      // Told by what follows.
    } finally {
      clearTimeout(silence);
    }
    if (this.abort !== abort) return;
    this.abort = null;
    this.failures += 1;
    const pause = Math.min(AGAIN_MS * 2 ** (this.failures - 1), AGAIN_MS_MAX);
    this.timer = setTimeout(() => void this.run(), pause);
    this.become('lost');
  }

  private async take(reader: ReadableStreamDefaultReader<Uint8Array>, ended: AbortSignal, alive: () => void) {
    const decoder = new TextDecoder();
    let text = '';
    let isFirst = true;
    for (;;) {
      alive();
      const { done, value } = await reader.read();
      if (done || ended.aborted) return;
      text += decoder.decode(value, { stream: true });
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        if (!event.startsWith('data: ')) continue;
        this.failures = 0;
        this.become('on');
        this.onEvent(JSON.parse(event.slice(6)) as Event, isFirst);
        isFirst = false;
      }
    }
  }
}
