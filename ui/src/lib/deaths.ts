// Why a message died, each time, from its header x-death.
import type { Json, Table } from './api';

export interface Death {
  queue: string;
  reason: string;
  /** When it died so for the first time, in milliseconds. */
  at: number;
  exchange: string;
  routingKeys: string[];
  count: number;
  expiration: string | null;
}

const REASONS: Record<string, string> = {
  rejected: 'was rejected by a consumer',
  expired: 'was there longer than its time to live',
  maxlen: 'had to go because the queue was full',
  delivery_limit: 'came back from consumers too often',
};

export const reasonText = (reason: string) => REASONS[reason] ?? `left it: ${reason}`;

const isTable = (value: Json | undefined): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The deaths of a message, the first one first. */
export function deaths(headers: Table | undefined): Death[] {
  const header = headers?.['x-death'];
  if (!Array.isArray(header)) return [];
  const all = header.filter(isTable).map((death) => ({
    queue: String(death['queue'] ?? ''),
    reason: String(death['reason'] ?? ''),
    at: Number(death['time'] ?? 0) * 1000,
    exchange: String(death['exchange'] ?? ''),
    routingKeys: Array.isArray(death['routing-keys']) ? death['routing-keys'].map(String) : [],
    count: Number(death['count'] ?? 1),
    expiration: death['original-expiration'] === undefined ? null : String(death['original-expiration']),
  }));
  // The last death comes first in the header.
  return all.reverse();
}
