// Publishing a message by hand.
import { useState } from 'preact/hooks';
import { call, exchangeSeg, seg } from '../lib/api';
import { recall, remember } from '../lib/memory';
import { ArgumentsEditor, tableOf, type Argument } from './arguments-editor';
import { Field } from './bits';
import { Failure, tell, useAction } from './dialog';

const NOTHING_MORE = { message_id: '', correlation_id: '', reply_to: '', expiration: '', priority: '' };

interface Template {
  name: string;
  key: string;
  body: string;
  type: string;
  persistent: boolean;
  headers: Argument[];
  more?: typeof NOTHING_MORE;
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
  const [more, setMore] = useState(NOTHING_MORE);
  const [templates, setTemplates] = useTemplates();
  const { busy, error, run } = useAction();

  const saveTemplate = (name: string) => {
    const others = templates.filter((template) => template.name !== name);
    setTemplates([...others, { name, key, body, type, persistent, headers, more }]);
  };
  const apply = (template: Template) => {
    if (routingKey === undefined) setKey(template.key);
    setBody(template.body);
    setType(template.type);
    setPersistent(template.persistent);
    setHeaders(template.headers);
    setMore(template.more ?? NOTHING_MORE);
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
        <Templates all={templates} onChoose={apply} onKeep={saveTemplate} onForget={(name) => setTemplates(templates.filter((template) => template.name !== name))} />
        <span class="grow" />
        <button class="primary" disabled={busy}>
          Publish
        </button>
      </div>
    </form>
  );
}

/** What this browser keeps of messages that are published again and again. */
function useTemplates() {
  const [templates, set] = useState<Template[]>(recall<Template[]>(KEPT) ?? []);
  const keep = (next: Template[]) => {
    set(next);
    remember(KEPT, next);
  };
  return [templates, keep] as const;
}

function Templates({
  all,
  onChoose,
  onKeep,
  onForget,
}: {
  all: Template[];
  onChoose: (template: Template) => void;
  onKeep: (name: string) => void;
  onForget: (name: string) => void;
}) {
  const [chosen, setChosen] = useState('');
  const [name, setName] = useState<string | null>(null);
  const choose = (name: string) => {
    setChosen(name);
    const template = all.find((template) => template.name === name);
    if (template) onChoose(template);
  };
  const keep = () => {
    const text = name?.trim();
    if (!text) return;
    onKeep(text);
    setChosen(text);
    setName(null);
  };
  if (name !== null) {
    return (
      <>
        <input
          autofocus
          aria-label="Name of the template"
          placeholder="Name of the template"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter') keep();
            else if (event.key === 'Escape') setName(null);
            else return;
            // It is neither to publish the message nor to close what this is in.
            event.preventDefault();
            event.stopPropagation();
          }}
        />
        <button type="button" disabled={!name.trim()} onClick={keep}>
          Keep
        </button>
        <button type="button" class="quiet" onClick={() => setName(null)}>
          Cancel
        </button>
      </>
    );
  }
  return (
    <>
      {all.length > 0 && (
        <select aria-label="Template" value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
          <option value="">Template…</option>
          {all.map(({ name }) => (
            <option>{name}</option>
          ))}
        </select>
      )}
      <button type="button" class="quiet" onClick={() => setName(chosen)}>
        Keep as template
      </button>
      {chosen && (
        <button type="button" class="quiet" onClick={() => { onForget(chosen); setChosen(''); }}>
          Forget it
        </button>
      )}
    </>
  );
}
