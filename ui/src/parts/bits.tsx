// Small things that every page shows.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { ago, bytes, exactTime, integer, rate, short } from '../lib/format';
import type { Table, Json } from '../lib/api';

export const Num = ({ value }: { value: number }) => <span title={integer(value)}>{short(value)}</span>;

export const Bytes = ({ value }: { value: number }) => (
  <span title={`${integer(value)} octets`}>{bytes(value)}</span>
);

export const Rate = ({ value }: { value: number }) => (
  <span class={value ? '' : 'faint'} title={`${value.toFixed(3)} per second`}>
    {value ? rate(value) : '0/s'}
  </span>
);

/** When, relative to now. */
export const When = ({ at, now }: { at: number; now: number }) => (
  <time dateTime={new Date(at).toISOString()} title={exactTime(at)}>
    {ago(at, now)}
  </time>
);

export const Tag = ({ children, kind, title }: { children: ComponentChildren; kind?: string; title?: string }) => (
  <span class={kind ? `tag ${kind}` : 'tag'} title={title}>
    {children}
  </span>
);

export const Page = ({
  title,
  children,
  crumbs,
  actions,
  about,
}: {
  title: ComponentChildren;
  children: ComponentChildren;
  crumbs?: ComponentChildren;
  actions?: ComponentChildren;
  about?: ComponentChildren;
}) => (
  <>
    <header class="page-head">
      <div class="titles">
        {crumbs && <div class="crumbs">{crumbs}</div>}
        <h1 tabIndex={-1}>{title}</h1>
        {about && <div class="about">{about}</div>}
      </div>
      {actions && <div class="page-actions">{actions}</div>}
    </header>
    {children}
  </>
);

/** What is said where nothing is. `whole`: there is nothing else on the page. */
export const Empty = ({ title, children, whole }: { title: string; children?: ComponentChildren; whole?: boolean }) => (
  <div class="empty">
    {whole ? <h1>{title}</h1> : <h2>{title}</h2>}
    {children}
  </div>
);

export const Loading = () => (
  <p class="loading" role="status">
    Loading…
  </p>
);

/** A value of an argument or a header, as JSON has it, but for texts. */
export function valueText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function Arguments({ of }: { of: Table }) {
  const entries = Object.entries(of);
  if (!entries.length) return <span class="faint">none</span>;
  return (
    <span class="tags">
      {entries.map(([name, value]) => (
        <Tag>
          {name} <b>{valueText(value)}</b>
        </Tag>
      ))}
    </span>
  );
}

/** Names with their values, in two columns. */
export const Facts = ({ children }: { children: ComponentChildren }) => <dl class="facts">{children}</dl>;

export const Fact = ({ name, children, hint }: { name: string; children: ComponentChildren; hint?: string }) => (
  <div>
    <dt title={hint}>{name}</dt>
    <dd>{children}</dd>
  </div>
);

export const Figure = ({
  label,
  children,
  note,
  colour,
  href,
}: {
  label: string;
  children: ComponentChildren;
  note?: ComponentChildren;
  colour?: string;
  href?: string;
}) => {
  const inner = (
    <>
      <span class="figure-label">
        {colour && <i class={`swatch ${colour}`} />}
        {label}
      </span>
      <b>{children}</b>
      {note && <small>{note}</small>}
    </>
  );
  return href ? (
    <a class="figure" href={href}>
      {inner}
    </a>
  ) : (
    <div class="figure">{inner}</div>
  );
};

export const Field = ({
  label,
  children,
  hint,
}: {
  label: string;
  children: ComponentChildren;
  hint?: ComponentChildren;
}) => (
  <label class="field">
    <span>{label}</span>
    {children}
    {hint && <small>{hint}</small>}
  </label>
);

export function Tabs({
  tabs,
  active,
  onChoose,
}: {
  tabs: { id: string; title: ComponentChildren }[];
  active: string;
  onChoose: (id: string) => void;
}) {
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (!step) return;
    const at = tabs.findIndex((tab) => tab.id === active);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (next) onChoose(next.id);
    (event.currentTarget as HTMLElement).querySelectorAll('button')[(at + step + tabs.length) % tabs.length]?.focus();
  };
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // On a phone not all of them are seen.
    const chosen = bar.current?.querySelector<HTMLElement>('[aria-selected=true]');
    if (chosen && bar.current) bar.current.scrollLeft = chosen.offsetLeft + (chosen.offsetWidth - bar.current.clientWidth) / 2;
  }, [active]);
  return (
    <div ref={bar} class="tabs" role="tablist" onKeyDown={onKey}>
      {tabs.map((tab) => (
        <button
          role="tab"
          aria-selected={tab.id === active}
          tabIndex={tab.id === active ? 0 : -1}
          onClick={() => onChoose(tab.id)}
        >
          {tab.title}
        </button>
      ))}
    </div>
  );
}
