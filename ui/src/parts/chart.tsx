// Curves over time.
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { rate, short, bytes as octets } from '../lib/format';
import { colour, onTheme } from '../lib/theme';

export interface Line {
  label: string;
  /** The name of a colour of the style sheets. */
  colour: string;
  values: (number | null)[];
  fill?: boolean;
}

interface Props {
  title: string;
  /** Milliseconds. */
  times: number[];
  lines: Line[];
  unit: 'rate' | 'count' | 'bytes';
  height?: number;
}

const FORMATS = { rate, count: short, bytes: octets };

/** Seconds that a chart shows at least, however little is known yet. */
const LEAST_S = 30;

/** From when to when: of one time alone uPlot would make years. */
function span(times: ArrayLike<number>): [number, number] {
  const last = times[times.length - 1] ?? Date.now() / 1000;
  return [Math.min(times[0] ?? last, last - LEAST_S), last];
}

/** Steps of an axis of things that are counted, of which there is no half. */
const WHOLE = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();

const AXIS = { size: 22, font: '11px system-ui', ticks: { size: 4 } };

export function Chart({ title, times, lines, unit, height = 180 }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const [colours, setColours] = useState(0);
  const format = FORMATS[unit];
  const data = [times.map((ms) => ms / 1000), ...lines.map((line) => line.values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => onTheme(() => setColours((n) => n + 1)), []);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const [text, grid] = [colour('muted'), colour('grid')];
    const axis = { ...AXIS, stroke: text, grid: { stroke: grid, width: 1 } };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height,
        padding: [8, 8, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
        scales: {
          x: { range: (u) => span(u.data[0]) },
          y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
        },
        axes: [
          { ...axis, ticks: { ...AXIS.ticks, stroke: grid }, space: 70 },
          {
            ...axis,
            size: 58,
            space: 36,
            ...(unit === 'rate' ? {} : { incrs: WHOLE }),
            ticks: { show: false },
            values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : format(tick))),
          },
        ],
        series: [
          {},
          ...lines.map((line) => ({
            label: line.label,
            stroke: colour(line.colour),
            width: 1.75,
            points: { show: false },
            ...(line.fill ? { fill: `${colour(line.colour)}1f` } : {}),
          })),
        ],
        hooks: { setCursor: [(u) => setCursor(u.cursor.idx ?? null)] },
      },
      latest.current,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth) made.setSize({ width: element.clientWidth, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [colours, height, lines.map((line) => line.label + line.colour).join(), unit]);
  useEffect(() => plot.current?.setData(data), [data]);

  const at = cursor ?? times.length - 1;
  const now = (line: Line) => line.values[at] ?? null;
  return (
    <figure class="chart">
      <figcaption>
        <h2 class="part">{title}</h2>
        <span class="muted when">{cursor !== null && times[at] ? new Date(times[at]).toLocaleTimeString('en-GB') : ''}</span>
      </figcaption>
      <div ref={box} class="plot" role="img" aria-label={`Curves of ${title}`} />
      <ul class="legend">
        {lines.map((line) => (
          <li>
            <i class={`swatch ${line.colour}`} />
            {line.label}
            <b>{now(line) === null ? '–' : format(now(line) ?? 0)}</b>
          </li>
        ))}
      </ul>
    </figure>
  );
}
