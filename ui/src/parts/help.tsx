// What the keyboard does.
import { Dialog } from './dialog';

const KEYS: [string, string][] = [
  ['Ctrl K', 'Find a queue, an exchange or a page, or do something'],
  ['/', 'Search the list of this page'],
  ['?', 'This list'],
  ['g o', 'Overview'],
  ['g q', 'Queues'],
  ['g e', 'Exchanges'],
  ['g t', 'Topology'],
  ['g c', 'Connections'],
  ['g h', 'Channels'],
  ['g s', 'Consumers'],
  ['g u', 'Users'],
  ['g v', 'Virtual hosts'],
  ['g p', 'Policies'],
  ['g f', 'Federation'],
  ['g l', 'Log'],
  ['g j', 'Journal of a broker for tests'],
  ['Backspace', 'From one thing back to the list'],
  ['↓ ↑ or j k', 'Up and down a list that has the focus'],
  ['Enter', 'Open what is marked in a list'],
  ['Space', 'Select it'],
  ['Esc', 'Close what is in front'],
];

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([key, what]) => (
          <div>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
