// What the API has beyond RabbitMQ's: looking at messages, moving them, holding queues.
import { call, exchangeSeg, read, seg, type Table } from './api';
import type { Message } from './types';

/** A message that is looked at, and stays where it is. */
export interface Seen extends Omit<Message, 'message_count'> {
  id: number;
  expires_at: number | null;
  position?: number;
  delivered_at?: number;
  consumer_tag?: string | null;
  channel_details?: { name: string; connection_name: string; user: string } | null;
}

export interface Delayed extends Omit<Message, 'message_count' | 'redelivered'> {
  id: number;
  due_at: number;
}

export interface Moved {
  moved: number;
  copied?: number;
  to: Record<string, number>;
  refused: number;
  left: number;
  without_origin?: number;
}

/** Which messages are meant; without ids all. */
export interface Where {
  ids?: number[];
}

/** Octets of a body that are fetched. */
const TRUNCATE = 50_000;

const queue = (vhost: string, name: string) => `api/leveret/queues/${seg(vhost)}/${seg(name)}`;

export const look = (vhost: string, name: string, what: 'messages' | 'unacked', from: number, count: number) =>
  read<Seen[]>(`${queue(vhost, name)}/${what}?offset=${from}&count=${count}&truncate=${TRUNCATE}`);

export const move = (vhost: string, name: string, to: string, where: Where) =>
  call<Moved>('POST', `${queue(vhost, name)}/move`, { to, where });

export const copy = (vhost: string, name: string, to: string, where: Where) =>
  call<Moved>('POST', `${queue(vhost, name)}/copy`, { to, where });

export const drop = (vhost: string, name: string, where: Where) =>
  call<{ dropped: number; left: number }>('POST', `${queue(vhost, name)}/drop`, { where });

export const sendBack = (vhost: string, name: string, where: Where) =>
  call<Moved>('POST', `${queue(vhost, name)}/return`, { where });

export const hold = (vhost: string, name: string, held: boolean) =>
  call(held ? 'PUT' : 'DELETE', `${queue(vhost, name)}/hold`);

export const release = (vhost: string, name: string, count: number) =>
  call('POST', `${queue(vhost, name)}/release`, { count });

export const delayedPath = (vhost: string, name: string) =>
  `api/leveret/exchanges/${seg(vhost)}/${exchangeSeg(name)}/delayed`;

export interface Explanation {
  /** All of it, for people. */
  text: string;
}

/** Why a message goes where it goes. Nothing is published. */
export const explain = (vhost: string, exchange: string, routingKey: string, headers: Table) =>
  call<Explanation>('POST', `api/leveret/exchanges/${seg(vhost)}/${exchangeSeg(exchange)}/explain`, {
    routing_key: routingKey,
    headers,
  });

export interface Lints {
  enabled: boolean;
  found: { kind: string; subject: string; text: string }[];
}
