// The few pictures of the page, drawn with lines.

const PATHS = {
  overview: 'M3 12l4-5 4 6 3-4 4 5M3 20h18',
  queues: 'M4 6h16M4 12h16M4 18h10',
  exchanges: 'M4 12h6m0 0l7-6m-7 6l7 6M17 3l3 3-3 3M17 15l3 3-3 3',
  connections: 'M8 4v6m8-6v6M6 10h12v3a6 6 0 01-12 0zM12 19v3',
  channels: 'M3 8h18M3 12h18M3 16h18',
  consumers: 'M12 4v11m0 0l-4-4m4 4l4-4M5 20h14',
  topology: 'M5 4h4v4H5zM15 4h4v4h-4zM10 16h4v4h-4zM7 8l4 8m6-8l-4 8',
  users: 'M12 11a4 4 0 100-8 4 4 0 000 8zM4 21c0-4 4-6 8-6s8 2 8 6',
  vhosts: 'M4 5h16v6H4zM4 13h16v6H4zM7 8h2m-2 8h2',
  policies: 'M6 3h9l4 4v14H6zM14 3v5h5M9 13h7m-7 4h7',
  limits: 'M4 18a9 9 0 1116 0M12 14l4-5',
  definitions: 'M12 3v12m0 0l-4-4m4 4l4-4M4 17v4h16v-4',
  search: 'M11 17a6 6 0 100-12 6 6 0 000 12zm4.5-1.5L20 20',
  columns: 'M4 5h16v14H4zM10 5v14m5-14v14',
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6L6 18',
  menu: 'M4 7h16M4 12h16M4 17h16',
  sun: 'M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v2m0 16v2M2 12h2m16 0h2M5 5l1.500 1.500m11 11L19 19M5 19l1.500-1.500m11-11L19 5',
  warning: 'M12 4l9 16H3zM12 10v4m0 3v.5',
  logout: 'M10 4H5v16h5M14 8l4 4-4 4m4-4H9',
  skull: 'M12 3a8 8 0 00-5 14v4h10v-4a8 8 0 00-5-14zM9 11v1m6-1v1m-4 5h2',
  right: 'M9 6l6 6-6 6',
  back: 'M4 12h12a4 4 0 010 8h-3M4 12l4-4M4 12l4 4',
  clock: 'M12 3a9 9 0 100 18 9 9 0 000-18zM12 7v5l4 2',
  journal: 'M5 3v18M12 3v18M19 3v18M5 8h7m0 5h7M5 17h14',
  log: 'M5 4h14v16H5zM8 8h8m-8 4h8m-8 4h5',
  federation: 'M5 5h5v5H5zM14 14h5v5h-5zM10 7h4a3 3 0 0 1 3 3v4',
  shovels: 'M14 4l6 6-2 2-6-6zM13 9L6 16M3 16l5 5c-3 1-6-2-5-5z',
  refresh: 'M20 11a8 8 0 10-2 6M20 5v6h-6',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The hare. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 64 64" aria-hidden="true">
      <rect width="64" height="64" rx="14" />
      <path d="M25 30C18 20 16 10 20 8s10 9 12 19c2-10 8-21 12-19s2 12-5 22c7 4 11 10 10 17-1 6-8 10-17 10s-16-4-17-10c-1-7 3-13 10-17z" />
    </svg>
  );
}
