// Dark or light, or as the system has it.
import { recall, remember } from './memory';

export type Theme = 'system' | 'light' | 'dark';

const system = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();
let chosen: Theme = recall<Theme>('theme') ?? 'system';

function apply() {
  const dark = chosen === 'dark' || (chosen === 'system' && system.matches);
  document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
  for (const listener of listeners) listener();
}

system.addEventListener('change', apply);
apply();

export const theme = () => chosen;

export function setTheme(next: Theme) {
  chosen = next;
  remember('theme', next);
  apply();
}

/** Called when colours have changed, for what does not go by style sheets. */
export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export const colour = (name: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
