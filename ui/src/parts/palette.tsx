// The command palette: everything that has a name, and everything that can be done, by typing.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { read } from '../lib/api';
import { exchangeName } from '../lib/format';
import { places } from '../lib/places';
import { useQueues } from '../lib/queues';
import { go, to } from '../lib/route';
import { logOut, may } from '../lib/session';
import { setTheme } from '../lib/theme';
import type { Exchange } from '../lib/types';
import { Dialog } from './dialog';
import { Icon, type IconName } from './icon';

interface Item {
  text: string;
  about: string;
  icon: IconName;
  run: () => void;
}

const SHOWN = 30;

/** How well a text fits what was typed; 0 if it does not. Each word has to occur. */
function fit(text: string, words: string[]): number {
  const lower = text.toLowerCase();
  let score = 1;
  for (const word of words) {
    const at = lower.indexOf(word);
    if (at < 0) return 0;
    score += at === 0 ? 3 : /[\s._/-]/.test(lower[at - 1] ?? '') ? 2 : 1;
  }
  return score + 1 / (1 + lower.length);
}

function commands(onHelp: () => void): Item[] {
  const pages = places().flatMap(({ places }) =>
    places.map(({ path, title, icon }): Item => ({
      text: title,
      about: 'page',
      icon,
      run: () => go(path ? to(path) : '#/'),
    })),
  );
  const actions: Item[] = [
    { text: 'New queue', about: 'action', icon: 'plus', run: () => go('#/queues?new=1') },
    { text: 'New exchange', about: 'action', icon: 'plus', run: () => go('#/exchanges?new=1') },
    ...(may.setPolicies()
      ? [
          { text: 'New policy', about: 'action', icon: 'plus' as const, run: () => go('#/policies?new=1') },
          { text: 'New shovel', about: 'action', icon: 'plus' as const, run: () => go('#/shovels?new=1') },
          { text: 'New upstream', about: 'action', icon: 'plus' as const, run: () => go('#/federation?tab=upstreams&new=1') },
        ]
      : []),
    ...(may.administer()
      ? [
          { text: 'New user', about: 'action', icon: 'plus' as const, run: () => go('#/users?new=1') },
          { text: 'New virtual host', about: 'action', icon: 'plus' as const, run: () => go('#/vhosts?new=1') },
        ]
      : []),
    { text: 'Dark colours', about: 'action', icon: 'sun', run: () => setTheme('dark') },
    { text: 'Light colours', about: 'action', icon: 'sun', run: () => setTheme('light') },
    { text: 'Colours as the system has them', about: 'action', icon: 'sun', run: () => setTheme('system') },
    { text: 'Keyboard', about: 'help', icon: 'search', run: onHelp },
    { text: 'Log out', about: 'action', icon: 'logout', run: logOut },
  ];
  return [...pages, ...actions];
}

export function Palette({ onClose, onHelp }: { onClose: () => void; onHelp: () => void }) {
  const [typed, setTyped] = useState('');
  const [active, setActive] = useState(0);
  const { all: queues } = useQueues();
  const [exchanges, setExchanges] = useState<Exchange[]>([]);
  useEffect(() => {
    read<Exchange[]>('api/exchanges?columns=name,vhost,type').then(setExchanges, () => {});
  }, []);
  const items = useMemo(() => {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    const scored: { item: Item; score: number }[] = [];
    const add = (score: number, item: () => Item) => {
      if (score) scored.push({ item: item(), score });
    };
    for (const item of commands(onHelp)) add(fit(item.text, words), () => item);
    if (words.length) {
      for (const queue of queues) {
        add(fit(queue.name, words), () => ({
          text: queue.name,
          about: `queue in ${queue.vhost}`,
          icon: 'queues',
          run: () => go(to('queues', queue.vhost, queue.name)),
        }));
      }
      for (const { name, vhost } of exchanges) {
        add(fit(exchangeName(name), words), () => ({
          text: exchangeName(name),
          about: `exchange in ${vhost}`,
          icon: 'exchanges',
          run: () => go(to('exchanges', vhost, name || 'amq.default')),
        }));
      }
      scored.sort((one, other) => other.score - one.score);
    }
    return scored.slice(0, SHOWN).map(({ item }) => item);
  }, [typed, queues.length, exchanges]);

  const run = (item: Item | undefined) => {
    if (!item) return;
    onClose();
    item.run();
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setActive(Math.min(active + 1, items.length - 1));
    else if (event.key === 'ArrowUp') setActive(Math.max(active - 1, 0));
    else if (event.key === 'Enter') run(items[active]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Find or do" onClose={onClose}>
      <div class="palette">
        <input
          autofocus
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={items[active] ? `palette-${active}` : undefined}
          aria-label="Find or do"
          placeholder="A queue, an exchange, a page, or what to do"
          value={typed}
          onKeyDown={onKey}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            setActive(0);
          }}
        />
        <ul id="palette-list" role="listbox" aria-label="What fits">
          {items.map((item, at) => (
            <li
              id={`palette-${at}`}
              role="option"
              aria-selected={at === active}
              onMouseMove={() => setActive(at)}
              onClick={() => run(item)}
            >
              <Icon name={item.icon} />
              <span class="ellipsis">{item.text}</span>
              <small class="muted">{item.about}</small>
            </li>
          ))}
        </ul>
        {items.length === 0 && <p class="nothing">Nothing is called so.</p>}
      </div>
    </Dialog>
  );
}
