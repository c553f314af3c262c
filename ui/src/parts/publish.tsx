// Publishing a message by hand.
import { useState } from 'preact/hooks';
import { call, exchangeSeg, seg } from '../lib/api';
import { recall, remember } from '../lib/memory';
import { ArgumentsEditor, tableOf, type Argument } from './arguments-editor';
import { Field } from './bits';
import { Failure, tell, useAction } from './dialog';

interface Template {
  name: string;
  key: string;
  body: string;
  type: string;
  persistent: boolean;
  headers: Argument[];
}

const KEPT = 'templates';

interface Props {
  vhost: string;
  exchange: string;
  /** For a queue: its name, which stays. */
  routingKey?: string;
  onDone?: () => void;
}

export function Publish({ vhost, exchange, routingKey, onDone }: Props) {
  const [key, setKey] = useState(routingKey ?? '');
  const [body, setBody] = useState('');
  const [type, setType] = useState('');
  const [persistent, setPersistent] = useState(true);
  const [headers, setHeaders] = useState<Argument[]>([]);
  const [more, setMore] = useState({ message_id: '', correlation_id: '', reply_to: '', expiration: '', priority: '' });
  const [templates, setTemplates] = useState<Template[]>(recall<Template[]>(KEPT) ?? []);
  const { busy, error, run } = useAction();

  const keep = (next: Template[]) => {
    setTemplates(next);
    remember(KEPT, next);
  };
  const saveTemplate = () => {
    const name = prompt('Name of the template');
    if (!name) return;
    const others = templates.filter((template) => template.name !== name);
    keep([...others, { name, key, body, type, persistent, headers }]);
  };
  const apply = (template: Template) => {
    if (routingKey === undefined) setKey(template.key);
    setBody(template.body);
    setType(template.type);
    setPersistent(template.persistent);
    setHeaders(template.headers);
  };
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const { priority, ...texts } = more;
      const table = tableOf(headers);
      const properties = {
        delivery_mode: persistent ? 2 : 1,
        ...(type ? { content_type: type } : {}),
        ...(Object.keys(table).length ? { headers: table } : {}),
        ...Object.fromEntries(Object.entries(texts).filter(([, value]) => value)),
        ...(priority ? { priority: Number(priority) } : {}),
      };
      const answer = await call<{ routed: boolean }>(
        'POST',
        `api/exchanges/${seg(vhost)}/${exchangeSeg(exchange)}/publish`,
        { routing_key: key, properties, payload: body, payload_encoding: 'string' },
      );
      if (answer?.routed) tell('The message is published.');
      else tell('No queue got the message: no binding matches it.', { bad: true });
      onDone?.();
    });
  };
  return (
    <form class="publish" onSubmit={submit}>
      <div class="row">
        {routingKey === undefined && (
          <Field label="Routing key">
            <input spellcheck={false} value={key} onInput={(event) => setKey(event.currentTarget.value)} />
          </Field>
        )}
        <Field label="Content type">
          <input
            list="content-types"
            spellcheck={false}
            placeholder="application/json"
            value={type}
            onInput={(event) => setType(event.currentTarget.value)}
          />
        </Field>
        <datalist id="content-types">
          <option value="application/json" />
          <option value="text/plain" />
        </datalist>
        <label class="check">
          <input type="checkbox" checked={persistent} onChange={() => setPersistent(!persistent)} /> Persistent
        </label>
      </div>
      <Field label="Body">
        <textarea rows={5} spellcheck={false} value={body} onInput={(event) => setBody(event.currentTarget.value)} />
      </Field>
      <ArgumentsEditor label="Headers" lines={headers} onChange={setHeaders} />
      <details>
        <summary>More properties</summary>
        <div class="row">
          {(Object.keys(more) as (keyof typeof more)[]).map((name) => (
            <Field label={name === 'expiration' ? 'expiration, ms' : name.replace('_', ' ')}>
              <input
                spellcheck={false}
                value={more[name]}
                onInput={(event) => setMore({ ...more, [name]: event.currentTarget.value })}
              />
            </Field>
          ))}
        </div>
      </details>
      <Failure error={error} />
      <div class="buttons">
        {templates.length > 0 && (
          <select
            aria-label="Template"
            value=""
            onChange={(event) => {
              const template = templates.find(({ name }) => name === event.currentTarget.value);
              if (template) apply(template);
            }}
          >
            <option value="">Template…</option>
            {templates.map(({ name }) => (
              <option>{name}</option>
            ))}
          </select>
        )}
        <button type="button" class="quiet" onClick={saveTemplate}>
          Keep as template
        </button>
        <span class="grow" />
        <button class="primary" disabled={busy}>
          Publish
        </button>
      </div>
    </form>
  );
}
