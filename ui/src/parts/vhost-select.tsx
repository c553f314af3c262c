// Which virtual host something is made in.
import { useEffect, useState } from 'preact/hooks';
import { recall, remember } from '../lib/memory';
import type { Vhost } from '../lib/types';
import { useAnswer } from '../lib/watch';
import { Field } from './bits';

const ADDRESS = '/api/vhosts?columns=name';

export const useVhosts = (): string[] => useAnswer<Pick<Vhost, 'name'>[]>(ADDRESS)?.body?.map(({ name }) => name) ?? [];

/** The one that was chosen last, or the first. */
export function useVhost(): [string, (vhost: string) => void] {
  const vhosts = useVhosts();
  const [chosen, set] = useState(recall<string>('vhost') ?? '/');
  useEffect(() => {
    const [first] = vhosts;
    if (first !== undefined && !vhosts.includes(chosen)) set(vhosts.includes('/') ? '/' : first);
  }, [vhosts.join('\n')]);
  return [
    chosen,
    (vhost) => {
      set(vhost);
      remember('vhost', vhost);
    },
  ];
}

export function VhostSelect({ value, onChange }: { value: string; onChange: (vhost: string) => void }) {
  const vhosts = useVhosts();
  return (
    <Field label="Virtual host">
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {(vhosts.length ? vhosts : [value]).map((vhost) => (
          <option>{vhost}</option>
        ))}
      </select>
    </Field>
  );
}
