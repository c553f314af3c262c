// Arguments and headers, line by line.
import type { Json, Table } from '../lib/api';
import { Icon } from './icon';

export interface Argument {
  name: string;
  type: 'text' | 'number' | 'yes or no' | 'JSON';
  value: string;
}

/** What the lines say; throws with what is wrong. */
export function tableOf(lines: Argument[]): Table {
  const table: Table = {};
  for (const { name, type, value } of lines) {
    if (!name) continue;
    table[name] = read(name, type, value);
  }
  return table;
}

function read(name: string, type: Argument['type'], value: string): Json {
  if (type === 'text') return value;
  if (type === 'yes or no') return value === 'true';
  if (type === 'number') {
    const number = Number(value);
    if (value.trim() === '' || !Number.isFinite(number)) throw new Error(`${name} has to be a number.`);
    return number;
  }
  try {
    return JSON.parse(value) as Json;
  } catch {
    throw new Error(`${name} has to be JSON, such as ["a", 1].`);
  }
}

/** A line for a value that is there. */
export function lineOf(name: string, value: Json): Argument {
  if (typeof value === 'string') return { name, type: 'text', value };
  if (typeof value === 'number') return { name, type: 'number', value: String(value) };
  if (typeof value === 'boolean') return { name, type: 'yes or no', value: String(value) };
  return { name, type: 'JSON', value: JSON.stringify(value) };
}

const TYPES: Argument['type'][] = ['text', 'number', 'yes or no', 'JSON'];

export interface Suggestion {
  name: string;
  type: Argument['type'];
  about: string;
}

export function ArgumentsEditor({
  label,
  lines,
  suggestions = [],
  onChange,
}: {
  label: string;
  lines: Argument[];
  suggestions?: Suggestion[];
  onChange: (lines: Argument[]) => void;
}) {
  const change = (at: number, part: Partial<Argument>) =>
    onChange(lines.map((line, index) => (index === at ? { ...line, ...part } : line)));
  return (
    <fieldset class="arguments">
      <legend>{label}</legend>
      {lines.map((line, at) => (
        <div class="argument">
          <input
            aria-label="Name"
            placeholder="name"
            spellcheck={false}
            value={line.name}
            onInput={(event) => change(at, { name: event.currentTarget.value })}
          />
          {line.type === 'yes or no' ? (
            <select
              aria-label={`Value of ${line.name}`}
              value={line.value || 'false'}
              onChange={(event) => change(at, { value: event.currentTarget.value })}
            >
              <option value="true">yes</option>
              <option value="false">no</option>
            </select>
          ) : (
            <input
              aria-label={`Value of ${line.name}`}
              placeholder="value"
              spellcheck={false}
              inputMode={line.type === 'number' ? 'decimal' : 'text'}
              value={line.value}
              onInput={(event) => change(at, { value: event.currentTarget.value })}
            />
          )}
          <select
            aria-label={`Type of ${line.name}`}
            value={line.type}
            onChange={(event) => change(at, { type: event.currentTarget.value as Argument['type'] })}
          >
            {TYPES.map((type) => (
              <option>{type}</option>
            ))}
          </select>
          <button
            type="button"
            class="quiet"
            aria-label={`Remove ${line.name || 'this line'}`}
            onClick={() => onChange(lines.filter((_, index) => index !== at))}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
      <div class="suggestions">
        <button type="button" onClick={() => onChange([...lines, { name: '', type: 'text', value: '' }])}>
          <Icon name="plus" /> Add
        </button>
        {suggestions
          .filter(({ name }) => !lines.some((line) => line.name === name))
          .map(({ name, type, about }) => (
            <button
              type="button"
              class="chip"
              title={about}
              onClick={() => onChange([...lines, { name, type, value: type === 'yes or no' ? 'true' : '' }])}
            >
              {name}
            </button>
          ))}
      </div>
    </fieldset>
  );
}
