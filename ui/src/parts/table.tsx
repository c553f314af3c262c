// A table of any length: only the rows that are seen exist. Searched, sorted, its columns chosen;
// what was chosen is remembered.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { integer } from '../lib/format';
import { recall, remember } from '../lib/memory';
import { setQuery, useRoute } from '../lib/route';
import { Icon } from './icon';

export interface Column<T> {
  id: string;
  title: string;
  /** What it is sorted by. */
  value: (row: T) => string | number;
  cell?: (row: T) => ComponentChildren;
  /** A figure, set to the right. */
  number?: boolean;
  /** A CSS grid track; names take what is left. */
  width?: string;
  /** Not there unless it is asked for. */
  hidden?: boolean;
  /** Also on a phone. */
  phone?: boolean;
  hint?: string;
}

interface Props<T> {
  id: string;
  label: string;
  columns: Column<T>[];
  rows: T[];
  rowKey: (row: T) => string | number;
  /** What the search looks at. */
  text: (row: T) => string;
  href?: (row: T) => string;
  sort: string;
  descending?: boolean;
  /** While rows are on their way. */
  loading?: boolean;
  /** Shown when there is nothing at all. */
  empty: ComponentChildren;
  /** Buttons beside the search. */
  tools?: ComponentChildren;
  /** Buttons for what is selected. */
  actions?: (selected: T[], clear: () => void) => ComponentChildren;
  /** No higher than its rows, in the midst of other things. */
  inline?: boolean;
}

const ROW_PX = 36;
const BEYOND = 12;

const PHONE = matchMedia('(max-width: 640px)');

function usePhone() {
  const [is, set] = useState(PHONE.matches);
  useEffect(() => {
    const listener = () => set(PHONE.matches);
    PHONE.addEventListener('change', listener);
    return () => PHONE.removeEventListener('change', listener);
  }, []);
  return is;
}

/** What a search means: a regular expression, or if it is none, a text that has to occur. */
export function searcher(search: string): { test: (text: string) => boolean; isRegex: boolean } {
  if (!search) return { test: () => true, isRegex: true };
  try {
    const regex = new RegExp(search, 'i');
    return { test: (text) => regex.test(text), isRegex: true };
  } catch {
    const lower = search.toLowerCase();
    return { test: (text) => text.toLowerCase().includes(lower), isRegex: false };
  }
}

function compare(one: string | number, other: string | number): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return String(one) < String(other) ? -1 : String(one) > String(other) ? 1 : 0;
}

export function DataTable<T>(props: Props<T>) {
  const { id, columns, rows, rowKey, inline } = props;
  const route = useRoute();
  const phone = usePhone();
  const kept = recall<{ sort?: string; down?: boolean; columns?: string[] }>(`table.${id}`) ?? {};
  const [sort, setSort] = useState(kept.sort ?? props.sort);
  const [down, setDown] = useState(kept.down ?? !!props.descending);
  const [chosen, setChosen] = useState(
    kept.columns ?? columns.filter((column) => !column.hidden).map((column) => column.id),
  );
  const [local, setLocal] = useState('');
  const search = inline ? local : (route.query.get('q') ?? '');
  const setSearch = (text: string) => (inline ? setLocal(text) : setQuery({ q: text || null }));
  const [selected, setSelected] = useState(new Set<string | number>());
  const [active, setActive] = useState(-1);

  const shown = columns.filter((column) => (phone ? column.phone : chosen.includes(column.id)));
  const found = searcher(search);
  const visible = useMemo(() => {
    const column = columns.find((column) => column.id === sort) ?? columns[0];
    const matching = search ? rows.filter((row) => found.test(props.text(row))) : [...rows];
    if (!column) return matching;
    const keyed = matching.map((row) => ({ row, key: column.value(row) }));
    keyed.sort((one, other) => (down ? compare(other.key, one.key) : compare(one.key, other.key)));
    return keyed.map(({ row }) => row);
  }, [rows, columns, search, sort, down]);

  const sortBy = (column: Column<T>) => {
    const next = sort === column.id ? !down : !!column.number;
    setSort(column.id);
    setDown(next);
    remember(`table.${id}`, { sort: column.id, down: next, columns: chosen });
  };
  const choose = (ids: string[]) => {
    setChosen(ids);
    remember(`table.${id}`, { sort, down, columns: ids });
  };

  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => setView({ top: element.scrollTop, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener('scroll', measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, [rows.length === 0]);

  const first = Math.max(Math.floor(view.top / ROW_PX) - BEYOND, 0);
  const last = Math.min(Math.ceil((view.top + view.height) / ROW_PX) + BEYOND, visible.length);
  const selectable = !!props.actions && !phone;
  const track = (column: Column<T>) => column.width ?? (column.number ? '5rem' : 'minmax(9rem, 1fr)');
  const phoneTrack = (column: Column<T>) => (column.number ? '5.25rem' : 'minmax(0, 1fr)');
  const widths = [...(selectable ? ['2.25rem'] : []), ...shown.map(phone ? phoneTrack : track)];
  const tracks = widths.join(' ');
  // Head and rows have the width of all columns at their narrowest, or of the window.
  const least = widths.reduce((sum, width) => sum + Number(/[\d.]+/.exec(width)?.[0] ?? 0), 0);
  const sheet = { minWidth: phone ? '0' : `${least}rem` };

  const move = (to: number) => {
    const next = Math.min(Math.max(to, 0), visible.length - 1);
    setActive(next);
    const element = box.current;
    if (!element) return;
    const top = next * ROW_PX;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + 2 * ROW_PX > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + 2 * ROW_PX - element.clientHeight;
    }
  };
  const onKey = (event: KeyboardEvent) => {
    const page = Math.max(Math.floor(view.height / ROW_PX) - 2, 1);
    const row = visible[active];
    if (event.target !== box.current) return;
    if (event.key === 'ArrowDown' || event.key === 'j') move(active + 1);
    else if (event.key === 'ArrowUp' || event.key === 'k') move(active - 1);
    else if (event.key === 'PageDown') move(active + page);
    else if (event.key === 'PageUp') move(active - page);
    else if (event.key === 'Home') move(0);
    else if (event.key === 'End') move(visible.length - 1);
    else if (event.key === 'Enter' && row && props.href) location.hash = props.href(row);
    else if (event.key === ' ' && row && selectable) toggle(row);
    else return;
    event.preventDefault();
  };
  const toggle = (row: T) => {
    const next = new Set(selected);
    if (!next.delete(rowKey(row))) next.add(rowKey(row));
    setSelected(next);
  };
  const picked = selectable ? visible.filter((row) => selected.has(rowKey(row))) : [];
  const allPicked = picked.length > 0 && picked.length === visible.length;
  const clear = () => setSelected(new Set());

  if (!props.loading && rows.length === 0) {
    return (
      <div class={inline ? 'table-frame inline' : 'table-frame'}>
        {props.tools && !inline && <div class="toolbar">{props.tools}</div>}
        {props.empty}
      </div>
    );
  }
  return (
    <div class={inline ? 'table-frame inline' : 'table-frame'}>
      <div class="toolbar">
        <label class="search">
          <Icon name="search" />
          <input
            type="search"
            data-search
            placeholder={`Search ${props.label} (text or regular expression)`}
            aria-label={`Search ${props.label}`}
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
          {!inline && <kbd aria-hidden="true">/</kbd>}
        </label>
        <span class="muted count" role="status">
          {props.loading
            ? 'loading…'
            : search
              ? `${integer(visible.length)} of ${integer(rows.length)}`
              : integer(rows.length)}
          {search && !found.isRegex ? ', as text' : ''}
        </span>
        <span class="grow" />
        {picked.length > 0 && props.actions?.(picked, clear)}
        {props.tools}
        {!phone && <Columns columns={columns} chosen={chosen} onChoose={choose} />}
      </div>
      <div
        ref={box}
        class="table"
        role="table"
        aria-label={props.label}
        aria-rowcount={visible.length + 1}
        tabIndex={0}
        onKeyDown={onKey}
      >
        <div role="rowgroup" class="thead" style={sheet}>
          <div role="row" class="tr" style={{ gridTemplateColumns: tracks }}>
            {selectable && (
              <span role="columnheader" class="td">
                <input
                  type="checkbox"
                  aria-label="Select all"
                  checked={allPicked}
                  onChange={() => (allPicked ? clear() : setSelected(new Set(visible.map(rowKey))))}
                />
              </span>
            )}
            {shown.map((column) => (
              <span
                role="columnheader"
                class={column.number ? 'td num' : 'td'}
                aria-sort={sort !== column.id ? 'none' : down ? 'descending' : 'ascending'}
              >
                <button class="sort" title={column.hint} onClick={() => sortBy(column)}>
                  {column.title}
                  <span class="arrow" aria-hidden="true">
                    {sort === column.id ? (down ? '↓' : '↑') : ''}
                  </span>
                </button>
              </span>
            ))}
          </div>
        </div>
        <div role="rowgroup" class="tbody" style={{ ...sheet, height: `${visible.length * ROW_PX}px` }}>
          {visible.slice(first, last).map((row, at) => (
            <div
              key={rowKey(row)}
              role="row"
              aria-rowindex={first + at + 2}
              class={first + at === active ? 'tr active' : 'tr'}
              style={{ gridTemplateColumns: tracks, transform: `translateY(${(first + at) * ROW_PX}px)` }}
            >
              {selectable && (
                <span role="cell" class="td">
                  <input
                    type="checkbox"
                    aria-label={`Select ${props.text(row)}`}
                    checked={selected.has(rowKey(row))}
                    onChange={() => toggle(row)}
                  />
                </span>
              )}
              {shown.map((column, index) => {
                const content = column.cell ? column.cell(row) : column.value(row);
                return (
                  <span role="cell" class={column.number ? 'td num' : 'td'}>
                    {index === 0 && props.href ? (
                      <a class="name" href={props.href(row)} title={String(column.value(row))}>
                        {content}
                      </a>
                    ) : (
                      content
                    )}
                  </span>
                );
              })}
            </div>
          ))}
        </div>
        {!props.loading && visible.length === 0 && (
          <p class="nothing">Nothing matches “{search}”.</p>
        )}
      </div>
    </div>
  );
}

function Columns<T>({
  columns,
  chosen,
  onChoose,
}: {
  columns: Column<T>[];
  chosen: string[];
  onChoose: (ids: string[]) => void;
}) {
  return (
    <details class="menu">
      <summary class="button quiet" aria-label="Columns" title="Columns">
        <Icon name="columns" />
      </summary>
      <div class="menu-list">
        {columns.slice(1).map((column) => (
          <label>
            <input
              type="checkbox"
              checked={chosen.includes(column.id)}
              onChange={() =>
                onChoose(
                  chosen.includes(column.id)
                    ? chosen.filter((id) => id !== column.id)
                    : columns.map((c) => c.id).filter((id) => id === column.id || chosen.includes(id)),
                )
              }
            />
            {column.title}
          </label>
        ))}
      </div>
    </details>
  );
}
