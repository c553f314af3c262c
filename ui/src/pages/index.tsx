// Which page is at which address.
import type { ComponentChild } from 'preact';
import type { Route } from '../lib/route';
import { ChannelPage, ChannelsPage } from './channels';
import { ConnectionPage, ConnectionsPage } from './connections';
import { ConsumersPage } from './consumers';
import { DefinitionsPage } from './definitions';
import { ExchangePage, ExchangesPage } from './exchanges';
import { JournalPage } from './journal';
import { LogPage } from './log';
import { OverviewPage } from './overview';
import { PoliciesPage } from './policies';
import { QueuePage } from './queue';
import { QueuesPage } from './queues';
import { FederationPage } from './federation';
import { ShovelsPage } from './shovels';
import { TestPage } from './test';
import { TopologyPage } from './topology';
import { UserPage, UsersPage } from './users';
import { VhostPage, VhostsPage } from './vhosts';

type Page = (rest: string[], route: Route) => ComponentChild;

/** A page for all, and one for each by its name; a key for each, so that nothing is carried over. */
const named =
  (all: () => ComponentChild, one: (name: string) => ComponentChild): Page =>
  ([name]) =>
    name === undefined ? all() : one(name);

export const PAGES: Record<string, Page> = {
  '': () => <OverviewPage />,
  queues: ([vhost, name]) =>
    vhost !== undefined && name !== undefined ? (
      <QueuePage key={`${vhost}/${name}`} vhost={vhost} name={name} />
    ) : (
      <QueuesPage />
    ),
  exchanges: ([vhost, name]) =>
    vhost !== undefined && name !== undefined ? (
      <ExchangePage key={`${vhost}/${name}`} vhost={vhost} name={name === 'amq.default' ? '' : name} />
    ) : (
      <ExchangesPage />
    ),
  topology: () => <TopologyPage />,
  connections: named(
    () => <ConnectionsPage />,
    (name) => <ConnectionPage key={name} name={name} />,
  ),
  channels: named(
    () => <ChannelsPage />,
    (name) => <ChannelPage key={name} name={name} />,
  ),
  consumers: () => <ConsumersPage />,
  users: named(
    () => <UsersPage />,
    (name) => <UserPage key={name} name={name} />,
  ),
  vhosts: named(
    () => <VhostsPage />,
    (name) => <VhostPage key={name} name={name} />,
  ),
  policies: () => <PoliciesPage />,
  definitions: () => <DefinitionsPage />,
  shovels: () => <ShovelsPage />,
  federation: () => <FederationPage />,
  log: () => <LogPage />,
  test: () => <TestPage />,
  journal: () => <JournalPage />,
};
