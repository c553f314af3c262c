// The frame around every page: where one may go, what is wrong, who is logged in.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { GO_KEYS, PLACES, places } from './lib/places';
import { go, parse, to, useRoute, type Route } from './lib/route';
import { logOut, may, onSession, session } from './lib/session';
import { setTheme, theme, type Theme } from './lib/theme';
import type { NodeFacts, Overview } from './lib/types';
import { useAnswer, useLive } from './lib/watch';
import { Notes } from './parts/dialog';
import { Icon, Logo } from './parts/icon';
import { Help } from './parts/help';
import { Palette } from './parts/palette';
import { Empty } from './parts/bits';
import { PAGES } from './pages';
import { Login } from './pages/login';

function useSession() {
  const [, set] = useState(0);
  useEffect(() => onSession(() => set((n) => n + 1)), []);
  return session();
}

export function App() {
  const login = useSession();
  return (
    <>
      {login ? <Inside key={login.user.name} /> : <Login />}
      <Notes />
    </>
  );
}

function Inside() {
  const route = useRoute();
  const [nav, setNav] = useState(false);
  const [over, setOver] = useState<'palette' | 'help' | null>(null);
  useShortcuts(setOver);
  const where = route.path.join('/');
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    setNav(false);
    document.querySelector('main')?.scrollTo(0, 0);
    if (document.activeElement === document.body) return;
    // Whoever goes by keyboard or listens is told where he is.
    main.current?.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
  }, [where]);
  return (
    <div class={nav ? 'frame nav-open' : 'frame'}>
      <a class="skip" href="#main" onClick={(event) => {
        event.preventDefault();
        main.current?.focus();
      }}>
        Skip to the page
      </a>
      <Nav route={route} onPalette={() => setOver('palette')} />
      <div class="scrim" onClick={() => setNav(false)} />
      <div class="stage">
        <Top onNav={() => setNav(!nav)} onPalette={() => setOver('palette')} />
        <main id="main" ref={main} tabIndex={-1}>
          <CurrentPage route={route} />
        </main>
      </div>
      {over === 'palette' && <Palette onClose={() => setOver(null)} onHelp={() => setOver('help')} />}
      {over === 'help' && <Help onClose={() => setOver(null)} />}
    </div>
  );
}

function CurrentPage({ route }: { route: Route }) {
  const [first = '', ...rest] = route.path;
  const page = PAGES[first];
  useEffect(() => {
    const title = PLACES.flatMap(({ places }) => places).find(({ path }) => path === first)?.title;
    document.title = [rest.at(-1), title ?? 'Page', 'leveret'].filter(Boolean).join(' · ');
  }, [route]);
  if (!page) {
    return (
      <Empty whole title="There is no such page">
        <p>
          The address may be of something else. <a href="#/">Go to the overview</a>, or press{' '}
          <kbd>Ctrl K</kbd> and type what you look for.
        </p>
      </Empty>
    );
  }
  return page(rest, route);
}

function Nav({ route, onPalette }: { route: Route; onPalette: () => void }) {
  const current = route.path[0] ?? '';
  // Which places there are depends on what the broker is.
  useAnswer<Overview>('/api/overview');
  return (
    <nav aria-label="Pages">
      <a class="brand" href="#/">
        <Logo />
        leveret
      </a>
      <button class="find" onClick={onPalette}>
        <Icon name="search" />
        Find or do
        <kbd>Ctrl K</kbd>
      </button>
      {places().map(({ title, places }) => (
        <div class="nav-group">
          <h2>{title}</h2>
          <ul>
            {places.map((place) => (
              <li>
                <a href={to(...(place.path ? [place.path] : []))} aria-current={place.path === current ? 'page' : undefined}>
                  <Icon name={place.icon} />
                  {place.title}
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
      <Version />
    </nav>
  );
}

function Version() {
  const overview = useAnswer<Overview>('/api/overview')?.body;
  return (
    <p class="version muted">
      {overview && `leveret ${overview.leveret_version}`}
      <br />
      <a href="api/index.html" target="_blank" rel="noreferrer">
        HTTP API
      </a>
    </p>
  );
}

function Top({ onNav, onPalette }: { onNav: () => void; onPalette: () => void }) {
  const overview = useAnswer<Overview>('/api/overview')?.body;
  const { state } = useLive();
  const login = session();
  const states = {
    on: ['live', 'Live'],
    connecting: ['waiting', 'Connecting…'],
    lost: ['lost', 'The broker does not answer. Trying again…'],
    off: ['waiting', 'Paused'],
  } as const;
  const [kind, text] = states[state];
  return (
    <header class="top">
      <button class="quiet only-narrow" aria-label="Menu" onClick={onNav}>
        <Icon name="menu" />
      </button>
      <span class="where">{overview?.cluster_name ?? ' '}</span>
      <span class={`state ${kind}`} role="status">
        <i />
        {text}
      </span>
      <Alarms />
      <span class="grow" />
      <button class="quiet only-narrow" aria-label="Find or do" onClick={onPalette}>
        <Icon name="search" />
      </button>
      <ThemeButton />
      <details class="menu">
        <summary class="button quiet" aria-label={`Logged in as ${login?.user.name}`}>
          <Icon name="users" />
          <span class="not-narrow">{login?.user.name}</span>
        </summary>
        <div class="menu-list">
          <p>
            <b>{login?.user.name}</b>
            <br />
            <span class="muted">{login?.user.tags.join(', ')}</span>
          </p>
          <button class="quiet" onClick={logOut}>
            <Icon name="logout" /> Log out
          </button>
        </div>
      </details>
    </header>
  );
}

/** What holds publishers back concerns every page. */
function Alarms() {
  const node = useAnswer<NodeFacts[]>(may.monitor() ? '/api/nodes' : null)?.body?.[0];
  const alarms: ComponentChildren[] = [];
  if (node?.mem_alarm) alarms.push('Memory is short: publishers wait');
  if (node?.disk_free_alarm) alarms.push('The disk is short: publishers wait');
  return (
    <>
      {alarms.map((alarm) => (
        <a class="alarm" href="#/">
          <Icon name="warning" /> {alarm}
        </a>
      ))}
    </>
  );
}

function ThemeButton() {
  const [now, set] = useState<Theme>(theme());
  const next: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };
  const title = `Colours: ${now === 'system' ? 'as the system has them' : now}`;
  return (
    <button
      class="quiet"
      aria-label={title}
      title={title}
      onClick={() => {
        setTheme(next[now]);
        set(next[now]);
      }}
    >
      <Icon name="sun" />
    </button>
  );
}

function useShortcuts(setOver: (over: 'palette' | 'help' | null) => void) {
  useEffect(() => {
    let afterG = 0;
    const listener = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        setOver('palette');
        return;
      }
      const at = event.target as HTMLElement;
      const isWriting = at.closest('input, textarea, select, dialog, [contenteditable]');
      if (isWriting || event.ctrlKey || event.metaKey || event.altKey) return;
      const place = GO_KEYS[event.key];
      if (Date.now() - afterG < 1500 && place !== undefined) {
        afterG = 0;
        go(place ? to(place) : '#/');
      } else if (event.key === 'g') {
        afterG = Date.now();
      } else if (event.key === '/') {
        const search = document.querySelector<HTMLInputElement>('main [data-search]');
        if (!search) return setOver('palette');
        search.focus();
      } else if (event.key === '?') {
        setOver('help');
      } else if (event.key === 'Backspace') {
        const path = parse(location.hash).path;
        if (path.length > 1) go(to(path[0] ?? ''));
      } else return;
      event.preventDefault();
    };
    addEventListener('keydown', listener);
    // A menu closes when something else is clicked.
    const click = (event: MouseEvent) => {
      for (const menu of document.querySelectorAll('details.menu[open]')) {
        if (!menu.contains(event.target as Node)) menu.removeAttribute('open');
      }
    };
    addEventListener('click', click);
    return () => {
      removeEventListener('keydown', listener);
      removeEventListener('click', click);
    };
  }, []);
}
