// How far back curves go.
import type { Range } from '../lib/curves';

const TITLES: Record<Range, string> = { minute: 'Minute', hour: 'Hour', day: 'Day' };

export function Ranges({
  range,
  only = ['minute', 'hour', 'day'],
  onChoose,
}: {
  range: Range;
  only?: Range[] | undefined;
  onChoose: (range: Range) => void;
}) {
  if (only.length < 2) return null;
  return (
    <div class="ranges" role="group" aria-label="Time that curves show">
      {only.map((one) => (
        <button aria-pressed={one === range} onClick={() => onChoose(one)}>
          {TITLES[one]}
        </button>
      ))}
    </div>
  );
}
