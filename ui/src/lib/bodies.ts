// Bodies of messages: what is in them, and how it is shown.

export type Form = 'json' | 'text' | 'hex';

export interface Body {
  octets: Uint8Array;
  /** If it is text. */
  text: string | null;
  /** If it is JSON, with spaces. */
  json: string | null;
}

export function decode(payload: string, encoding: 'string' | 'base64'): Body {
  const octets =
    encoding === 'base64'
      ? Uint8Array.from(atob(payload), (c) => c.charCodeAt(0))
      : new TextEncoder().encode(payload);
  let text: string | null = payload;
  if (encoding === 'base64') {
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(octets);
    } catch {
      text = null;
    }
  }
  let json: string | null = null;
  if (text !== null && /^\s*[[{"]/.test(text)) {
    try {
      json = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // It only looks like it.
    }
  }
  return { octets, text, json };
}

export const bestForm = (body: Body): Form => (body.json !== null ? 'json' : body.text !== null ? 'text' : 'hex');

const HEX_SHOWN = 4096;

/** Offsets, octets, and what of them are letters. */
export function hex(octets: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(octets.length, HEX_SHOWN); at += 16) {
    const row = [...octets.slice(at, at + 16)];
    const digits = row.map((octet) => octet.toString(16).padStart(2, '0')).join(' ');
    const letters = row.map((octet) => (octet >= 32 && octet < 127 ? String.fromCharCode(octet) : '.')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${digits.padEnd(47)}  ${letters}`);
  }
  if (octets.length > HEX_SHOWN) lines.push(`… and ${octets.length - HEX_SHOWN} octets more`);
  return lines.join('\n');
}
