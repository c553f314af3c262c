// Where in the page we are: what is after the # in the address. The paths are those of RabbitMQ's
// management UI, so that its bookmarks lead to the same things.
import { useEffect, useState } from 'preact/hooks';

export interface Route {
  /** Segments with their percent signs resolved. */
  path: string[];
  query: URLSearchParams;
}

const decode = (text: string) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

export function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return { path: path.split('/').filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

/** The address of a place, such as `to('queues', vhost, name)`. */
export const to = (...path: string[]) => `#/${path.map(encodeURIComponent).join('/')}`;

export const go = (hash: string) => {
  location.hash = hash;
};

/** Changes what is after the question mark, without a step in the history. */
export function setQuery(changes: Record<string, string | null>) {
  const [path = '', query = ''] = (location.hash || '#/').split('?', 2);
  const all = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value) all.set(name, value);
    else all.delete(name);
  }
  const text = all.toString();
  history.replaceState(null, '', text ? `${path}?${text}` : path);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

export function useRoute(): Route {
  const [route, set] = useState(() => parse(location.hash));
  useEffect(() => {
    const listener = () => set(parse(location.hash));
    addEventListener('hashchange', listener);
    return () => removeEventListener('hashchange', listener);
  }, []);
  return route;
}
