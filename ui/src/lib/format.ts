// Numbers, sizes and times for people; the exact ones are in what hovering shows.

const exact = new Intl.NumberFormat('en');

export const integer = (value: number) => exact.format(Math.round(value));

/** 999, 12.3k, 4.56M. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size < 10_000) return exact.format(Math.round(value));
  for (const [unit, from] of [['G', 1e9], ['M', 1e6], ['k', 1e3]] as const) {
    if (size >= from) {
      const scaled = value / from;
      return `${scaled.toFixed(Math.abs(scaled) < 10 ? 2 : Math.abs(scaled) < 100 ? 1 : 0)}${unit}`;
    }
  }
  return String(value);
}

/** Per second. */
export function rate(value: number): string {
  if (value > 0 && value < 10) return `${value.toFixed(1)}/s`;
  return `${short(value)}/s`;
}

export function bytes(value: number): string {
  let unit = 'B';
  let scaled = value;
  for (const next of ['KiB', 'MiB', 'GiB', 'TiB']) {
    if (Math.abs(scaled) < 1024) break;
    scaled /= 1024;
    unit = next;
  }
  return unit === 'B' ? `${Math.round(scaled)} B` : `${scaled.toFixed(scaled < 10 ? 1 : 0)} ${unit}`;
}

const STEPS: [number, string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
];

/** 1 min 30 s: the two largest units. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(Math.round(ms), 0)} ms`;
  const parts: string[] = [];
  let rest = ms;
  for (const [length, unit] of STEPS) {
    const count = Math.floor(rest / length);
    if (count) parts.push(`${count} ${unit}`);
    else if (parts.length) break;
    rest -= count * length;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

export function ago(then: number, now: number): string {
  const ms = now - then;
  if (Math.abs(ms) < 1500) return 'just now';
  return ms > 0 ? `${duration(ms)} ago` : `in ${duration(-ms)}`;
}

export const exactTime = (ms: number) => new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC');

/** One queue, two queues. */
export const count = (n: number, noun: string, nouns = `${noun}s`) => `${integer(n)} ${n === 1 ? noun : nouns}`;

/** The default exchange has no name. */
export const exchangeName = (name: string) => name || '(default)';

/** A channel's name without the broker's own address, which all of them have. */
export const channelName = (name: string) => name.replace(/ -> [^ ]+ \(/, ' (');
