// What the API answers, as far as the page looks at it.
import type { Table } from './api';

export type Rated = { rate: number };

export interface MessageStats {
  [name: string]: number | Rated | undefined;
}

export interface Overview {
  cluster_name: string;
  node?: string;
  leveret_version: string;
  /** The broker is one of a test. */
  leveret_testing?: boolean;
  rabbitmq_version: string;
  object_totals: Record<'connections' | 'channels' | 'consumers' | 'exchanges' | 'queues', number>;
  queue_totals: Record<'messages' | 'messages_ready' | 'messages_unacknowledged', number>;
  message_stats: MessageStats;
  churn_rates?: MessageStats;
  exchange_types: { name: string }[];
}

export interface NodeFacts {
  name: string;
  uptime: number;
  os_pid: string;
  mem_used: number;
  mem_limit: number | null;
  mem_alarm: boolean;
  disk_free_alarm: boolean;
  disk_free?: number;
  sockets_used: number;
  processors: number;
}

export interface Vhost {
  name: string;
  description: string;
  tags: string[];
  default_queue_type: string;
  messages?: number;
  messages_ready?: number;
  messages_unacknowledged?: number;
  protected_from_deletion?: boolean;
}

export interface QueueDetail {
  name: string;
  vhost: string;
  type: string;
  durable: boolean;
  auto_delete: boolean;
  exclusive: boolean;
  arguments: Table;
  state: string;
  policy: string | null;
  operator_policy: string | null;
  effective_policy_definition: Table;
  messages: number;
  messages_ready: number;
  messages_unacknowledged: number;
  message_bytes: number;
  messages_paged_out: number;
  messages_persistent: number;
  memory: number;
  consumers: number;
  consumer_capacity: number;
  held?: boolean;
  head_message_timestamp: number | null;
  single_active_consumer_tag: string | null;
  message_stats?: MessageStats;
  consumer_details: ConsumerDetail[];
  owner_pid_details?: { name: string };
}

export interface ConsumerDetail {
  consumer_tag: string;
  ack_required: boolean;
  active: boolean;
  activity_status: string;
  exclusive: boolean;
  prefetch_count: number;
  arguments: Table;
  queue: { name: string; vhost: string };
  channel_details: { name?: string; connection_name?: string; user?: string; peer_host?: string | null };
}

export interface Binding {
  source: string;
  vhost: string;
  destination: string;
  destination_type: 'queue' | 'exchange';
  routing_key: string;
  arguments: Table;
  properties_key: string;
}

export interface Exchange {
  name: string;
  vhost: string;
  type: string;
  durable: boolean;
  auto_delete: boolean;
  internal: boolean;
  arguments: Table;
  policy?: string | null;
  message_stats?: MessageStats;
  user_who_performed_action?: string;
}

export interface Connection {
  name: string;
  user_provided_name: string;
  user: string;
  vhost: string;
  state: string;
  channels: number;
  peer_host: string | null;
  peer_port: number | null;
  protocol: string;
  connected_at: number;
  client_properties: Table;
  recv_oct: number;
  send_oct: number;
  recv_oct_details?: Rated;
  send_oct_details?: Rated;
  send_pend: number;
  timeout: number;
  frame_max: number;
  channel_max: number;
  auth_mechanism: string;
  ssl: boolean;
}

export interface Channel {
  name: string;
  number: number;
  user: string;
  vhost: string;
  state: string;
  confirm: boolean;
  transactional: boolean;
  consumer_count: number;
  prefetch_count: number;
  global_prefetch_count: number;
  messages_unacknowledged: number;
  messages_unconfirmed: number;
  messages_uncommitted: number;
  connection_details: { name: string };
  message_stats?: MessageStats;
  consumer_details?: ConsumerDetail[];
}

export interface Message {
  payload_bytes: number;
  redelivered: boolean;
  exchange: string;
  routing_key: string;
  message_count: number;
  properties: MessageProperties | [];
  payload: string;
  payload_encoding: 'string' | 'base64';
}

export interface MessageProperties {
  headers?: Table;
  content_type?: string;
  timestamp?: number;
  [name: string]: unknown;
}

export interface UserEntry {
  name: string;
  tags: string[];
  password_hash: string;
  limits?: Table;
}

export interface Permission {
  user: string;
  vhost: string;
  configure: string;
  write: string;
  read: string;
}

export interface Policy {
  name: string;
  vhost: string;
  pattern: string;
  'apply-to': string;
  definition: Table;
  priority: number;
}

/** A counter of statistics. */
export function total(stats: MessageStats | undefined, name: string): number {
  const value = stats?.[name];
  return typeof value === 'number' ? value : 0;
}

/** How fast it rises. */
export function rateOf(stats: MessageStats | undefined, name: string): number {
  const value = stats?.[`${name}_details`];
  return typeof value === 'object' ? value.rate : 0;
}
