// Where one may go.
import type { IconName } from '../parts/icon';
import { may } from './session';
import { isTest } from './testing';

export interface Place {
  path: string;
  title: string;
  icon: IconName;
  /** Whether the user has any use for it. */
  may?: () => boolean;
}

export const PLACES: { title: string; places: Place[] }[] = [
  {
    title: 'Messages',
    places: [
      { path: '', title: 'Overview', icon: 'overview' },
      { path: 'queues', title: 'Queues', icon: 'queues' },
      { path: 'exchanges', title: 'Exchanges', icon: 'exchanges' },
      { path: 'topology', title: 'Topology', icon: 'topology' },
    ],
  },
  {
    title: 'Clients',
    places: [
      { path: 'connections', title: 'Connections', icon: 'connections' },
      { path: 'channels', title: 'Channels', icon: 'channels' },
      { path: 'consumers', title: 'Consumers', icon: 'consumers' },
    ],
  },
  {
    title: 'Test',
    places: [
      { path: 'test', title: 'Clock and faults', icon: 'clock', may: () => isTest() && may.administer() },
      { path: 'journal', title: 'Journal', icon: 'journal', may: () => isTest() && may.administer() },
    ],
  },
  {
    title: 'Administration',
    places: [
      { path: 'users', title: 'Users', icon: 'users', may: may.administer },
      { path: 'vhosts', title: 'Virtual hosts', icon: 'vhosts' },
      { path: 'policies', title: 'Policies', icon: 'policies' },
      { path: 'shovels', title: 'Shovels', icon: 'shovels', may: may.monitor },
      { path: 'federation', title: 'Federation', icon: 'federation', may: () => may.monitor() || may.setPolicies() },
      { path: 'log', title: 'Log', icon: 'log', may: may.monitor },
      { path: 'definitions', title: 'Definitions', icon: 'definitions', may: may.administer },
    ],
  },
];

export const places = () =>
  PLACES.map(({ title, places }) => ({ title, places: places.filter(({ may }) => !may || may()) })).filter(
    ({ places }) => places.length > 0,
  );

/** Where `g` and a letter lead. */
export const GO_KEYS: Record<string, string> = {
  o: '',
  q: 'queues',
  e: 'exchanges',
  t: 'topology',
  c: 'connections',
  h: 'channels',
  s: 'consumers',
  u: 'users',
  v: 'vhosts',
  p: 'policies',
  f: 'federation',
  j: 'journal',
  l: 'log',
};
