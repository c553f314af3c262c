// Calls of the broker's HTTP API.
import { logOut, session } from './session';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Table = { [key: string]: Json };

/** A call that was refused, or that reached nobody. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** A segment of a path. The default exchange has a name there. */
export const seg = (name: string) => encodeURIComponent(name);

export const exchangeSeg = (name: string) => (name === '' ? 'amq.default' : seg(name));

function reasonOf(status: number, text: string): string {
  try {
    const { reason, error } = JSON.parse(text) as { reason?: unknown; error?: unknown };
    if (typeof reason === 'string') return reason;
    if (reason) return JSON.stringify(reason);
    if (error) return String(error);
  } catch {
    // It is no JSON, and says all that it has to say by its status.
  }
  if (status === 404) return 'It is not there any more.';
  return `The broker answered with status ${status}.`;
}

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const login = session();
  if (!login) throw new ApiError(401, 'You are not logged in.');
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        authorization: login.header,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, 'The broker does not answer.');
  }
  if (!response.ok) {
    const text = await response.text();
    const reason = reasonOf(response.status, text);
    if (response.status === 401 && text.includes('not_authorized')) logOut();
    throw new ApiError(response.status, reason);
  }
  return response;
}

/** Reads something. */
export async function read<T>(path: string): Promise<T> {
  return (await send('GET', path)).json() as Promise<T>;
}

/** Changes something, and gives the answer if there is one. */
export async function call<T = unknown>(
  method: 'PUT' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
): Promise<T | null> {
  const text = await (await send(method, path, body, headers)).text();
  try {
    return text ? (JSON.parse(text) as T) : null;
  } catch {
    return null;
  }
}
