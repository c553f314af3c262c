// What needs somebody's attention, in words.
import { bytes, count, integer } from './format';
import type { Lints } from './own';
import type { Queues, Queue } from './queues';
import { to } from './route';
import { total, type NodeFacts, type Overview } from './types';

export interface Warning {
  what: string;
  advice: string;
  grave?: boolean;
  href?: string;
  link?: string;
}

const MANY = 1000;
const LINTS_MAX = 5;

const named = (queues: Queue[]) => {
  const first = queues
    .slice(0, 3)
    .map((queue) => `“${queue.name}”`)
    .join(', ');
  return queues.length > 3 ? `${first} and ${integer(queues.length - 3)} more` : first;
};

const place = (queues: Queue[]): Pick<Warning, 'href' | 'link'> => {
  const [queue] = queues;
  if (!queue) return {};
  return queues.length === 1
    ? { href: to('queues', queue.vhost, queue.name), link: 'Look at it' }
    : { href: to('queues'), link: 'Look at the queues' };
};

export function warnings({
  overview,
  node,
  queues,
  lints,
}: {
  overview: Overview;
  node: NodeFacts | undefined;
  queues: Queues;
  lints: Lints | undefined;
}): Warning[] {
  const all: Warning[] = [];
  if (node?.mem_alarm) {
    all.push({
      grave: true,
      what: 'Memory is short, and whoever publishes waits.',
      advice: `Messages take ${bytes(node.mem_used)} of the ${bytes(node.mem_limit ?? 0)} that they may take. Consume or purge some, or raise memory_high_watermark_bytes.`,
    });
  }
  if (node?.disk_free_alarm) {
    all.push({
      grave: true,
      what: 'The disk is full or fails, and whoever publishes waits.',
      advice: 'Make room on the disk of the data directory, and look into the log for what failed.',
    });
  }
  if (node?.mem_limit && !node.mem_alarm && node.mem_used > node.mem_limit * 0.8) {
    all.push({
      what: `Messages take ${Math.round((node.mem_used / node.mem_limit) * 100)} % of the memory that they may take.`,
      advice: 'At 100 % publishers have to wait.',
    });
  }
  const waiting = queues.all.filter((queue) => !queue.figures['consumers'] && (queue.figures['ready'] ?? 0) >= MANY);
  if (waiting.length) {
    all.push({
      what: `${count(waiting.length, 'queue has', 'queues have')} ${integer(MANY)} messages or more, and no consumer: ${named(waiting)}.`,
      advice: 'Is a consumer down?',
      ...place(waiting),
    });
  }
  const stuck = queues.all.filter(
    (queue) =>
      (queue.figures['consumers'] ?? 0) > 0 &&
      (queue.figures['ready'] ?? 0) >= MANY &&
      !queue.rates['deliver_get'] &&
      !queue.rates['ack'],
  );
  if (stuck.length) {
    all.push({
      what: `Consumers of ${named(stuck)} take nothing, while ${integer(MANY)} messages or more wait.`,
      advice: 'They may have as many unacknowledged messages as their prefetch allows, and do not acknowledge.',
      ...place(stuck),
    });
  }
  const held = queues.all.filter((queue) => queue.figures['held']);
  if (held.length) {
    all.push({
      what: `${count(held.length, 'queue is', 'queues are')} held, and give nothing out: ${named(held)}.`,
      advice: 'Release them when you are done.',
      ...place(held),
    });
  }
  const dropped = total(overview.message_stats, 'drop_unroutable');
  if (dropped) {
    all.push({
      what: `${count(dropped, 'message was', 'messages were')} published that no queue got, and dropped since the start.`,
      advice: 'Bind a queue for them, or publish with the mandatory flag to have them returned.',
      href: to('topology'),
      link: 'See where a message would go',
    });
  }
  for (const { subject, text } of lints?.found.slice(0, LINTS_MAX) ?? []) {
    all.push({ what: `${subject}:`, advice: text });
  }
  return all;
}
