// Which page is at which address.
import type { ComponentChild } from 'preact';
import type { Route } from '../lib/route';
import { OverviewPage } from './overview';
import { QueuePage } from './queue';
import { QueuesPage } from './queues';

type Page = (rest: string[], route: Route) => ComponentChild;

export const PAGES: Record<string, Page> = {
  '': () => <OverviewPage />,
  queues: ([vhost, name]) =>
    vhost !== undefined && name !== undefined ? (
      <QueuePage key={`${vhost}/${name}`} vhost={vhost} name={name} />
    ) : (
      <QueuesPage />
    ),
};
