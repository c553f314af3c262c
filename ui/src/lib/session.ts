// Who is logged in. Name and password are kept for as long as the tab is open, and sent as a header
// with every request: there is no cookie that another page could ride on.

export interface User {
  name: string;
  tags: string[];
}

export interface Session {
  user: User;
  header: string;
}

const KEY = 'leveret.login';
const listeners = new Set<() => void>();
let current: Session | null = null;

/** Base64 of a text's UTF-8 octets, as Basic authentication wants it. */
export function basic(name: string, password: string): string {
  const octets = new TextEncoder().encode(`${name}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...octets))}`;
}

export const session = (): Session | null => current;

export function onSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function change(next: Session | null) {
  current = next;
  if (next) sessionStorage.setItem(KEY, next.header);
  else sessionStorage.removeItem(KEY);
  for (const listener of listeners) listener();
}

/** Why somebody was not let in, in words for people. */
export class LoginFailed extends Error {}

/** Logs in with the header; throws LoginFailed if the broker says no. */
async function enter(header: string): Promise<void> {
  let response: Response;
  try {
    response = await fetch('api/whoami', { headers: { authorization: header } });
  } catch {
    throw new LoginFailed('The broker does not answer. Is it running?');
  }
  if (response.ok) {
    change({ user: (await response.json()) as User, header });
    return;
  }
  const answer = (await response.json().catch(() => ({}))) as { reason?: unknown };
  const reason = String(answer.reason ?? '');
  if (reason.includes('localhost')) {
    throw new LoginFailed(
      'This user may log in only on the machine that the broker runs on. Make another user, or open this page there.',
    );
  }
  if (reason.includes('management')) {
    throw new LoginFailed(
      'This user may not use management. Give it one of the tags management, policymaker, monitoring or administrator.',
    );
  }
  if (response.status === 401) throw new LoginFailed('There is no such user, or the password is another.');
  throw new LoginFailed(`The broker answered with status ${response.status}. ${reason}`);
}

export const logIn = (name: string, password: string) => enter(basic(name, password));

export const logOut = () => change(null);

/** Takes up the login of this tab, if there is one. */
export async function resume(): Promise<void> {
  const header = sessionStorage.getItem(KEY);
  if (!header) return;
  try {
    await enter(header);
  } catch (error) {
    if (!(error instanceof LoginFailed) || !error.message.includes('does not answer')) change(null);
  }
}

const has = (...tags: string[]) => !!current?.user.tags.some((tag) => tags.includes(tag));

/** What the user may do, by tags: RabbitMQ's. The broker asks again, whatever the page shows. */
export const may = {
  administer: () => has('administrator'),
  monitor: () => has('administrator', 'monitoring'),
  setPolicies: () => has('administrator', 'policymaker'),
};
