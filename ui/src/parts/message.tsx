// One message: where it came from, its properties, its way, its body.
import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { bestForm, decode, hex, type Form } from '../lib/bodies';
import { deaths, reasonText } from '../lib/deaths';
import { bytes, count, exactTime, exchangeName, integer } from '../lib/format';
import { to } from '../lib/route';
import type { Message } from '../lib/types';
import { brokerNow } from '../lib/watch';
import { Tag, valueText, When } from './bits';
import { Icon } from './icon';

export const propertiesOf = (message: Pick<Message, 'properties'>) =>
  Array.isArray(message.properties) ? {} : message.properties;

/** A message as it is shown, wherever it is. */
type Shown = Omit<Message, 'message_count'>;

/** A line in a list of messages that opens. */
export function MessageLine({
  message,
  at,
  vhost,
  actions,
  select,
  about,
  note,
}: {
  message: Shown;
  at: number;
  vhost: string;
  actions?: ComponentChildren;
  /** What is known of it beside what is in it. */
  about?: ComponentChildren;
  /** The same, in a word, in the line. */
  note?: ComponentChildren;
  select?: ComponentChildren;
}) {
  const [open, setOpen] = useState(false);
  const died = deaths(propertiesOf(message).headers);
  return (
    <li class={open ? 'message open' : 'message'}>
      <div class="message-line">
        {select}
        <button class="message-head" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="right" />
          <span class="faint at">{at + 1}</span>
          <span class="key ellipsis" title="routing key">
            {message.routing_key || <i>no routing key</i>}
          </span>
          <span class="preview ellipsis">{preview(message)}</span>
          {died.length > 0 && <Tag kind="warn">died {died.reduce((sum, death) => sum + death.count, 0)}×</Tag>}
          {note && <span class="muted">{note}</span>}
          {message.redelivered && <Tag>redelivered</Tag>}
          <span class="muted size">{bytes(message.payload_bytes)}</span>
        </button>
      </div>
      {open && (
        <div class="message-body">
          {about}
          <MessageView message={message} vhost={vhost} />
          {actions && <div class="buttons">{actions}</div>}
        </div>
      )}
    </li>
  );
}

const PREVIEW = 160;

function preview(message: Shown): string {
  if (message.payload_encoding === 'base64') return `${integer(message.payload_bytes)} octets that are no text`;
  return message.payload.slice(0, PREVIEW);
}

export function MessageView({ message, vhost }: { message: Shown; vhost: string }) {
  const { headers, timestamp, ...properties } = propertiesOf(message);
  const { 'x-death': _, ...others } = headers ?? {};
  return (
    <>
      <dl class="facts tight">
        <div>
          <dt>Exchange</dt>
          <dd>
            <a href={to('exchanges', vhost, message.exchange || 'amq.default')}>{exchangeName(message.exchange)}</a>
          </dd>
        </div>
        <div>
          <dt>Routing key</dt>
          <dd>{message.routing_key || <span class="faint">empty</span>}</dd>
        </div>
        {timestamp !== undefined && (
          <div>
            <dt>Timestamp</dt>
            <dd>
              <When at={timestamp * 1000} now={brokerNow()} />
            </dd>
          </div>
        )}
        {Object.entries(properties).map(([name, value]) => (
          <div>
            <dt>{name.replace('_', ' ')}</dt>
            <dd>{name === 'delivery_mode' ? (value === 2 ? '2, persistent' : `${value}, transient`) : String(value)}</dd>
          </div>
        ))}
      </dl>
      {Object.keys(others).length > 0 && (
        <>
          <h2 class="minor">Headers</h2>
          <dl class="facts tight">
            {Object.entries(others).map(([name, value]) => (
              <div>
                <dt>{name}</dt>
                <dd>{valueText(value)}</dd>
              </div>
            ))}
          </dl>
        </>
      )}
      <Way message={message} vhost={vhost} />
      <BodyView message={message} />
    </>
  );
}

/** The deaths of a message, from the first to where it is now. */
function Way({ message, vhost }: { message: Shown; vhost: string }) {
  const all = deaths(propertiesOf(message).headers);
  if (!all.length) return null;
  return (
    <>
      <h2 class="minor">How it died</h2>
      <ol class="way">
        {all.map((death) => (
          <li>
            <i class={`death ${death.reason}`} />
            <div>
              In <a href={to('queues', vhost, death.queue)}>{death.queue}</a> it <b>{reasonText(death.reason)}</b>
              {death.count > 1 && `, ${count(death.count, 'time')}`}
              {death.expiration && ` (${death.expiration} ms)`}.
              <small class="muted">
                <time title={exactTime(death.at)}>
                  first <When at={death.at} now={brokerNow()} />
                </time>
                {' · '}published to {exchangeName(death.exchange)} with {death.routingKeys.map((key) => `“${key}”`).join(', ')}
              </small>
            </div>
          </li>
        ))}
        <li>
          <i class="here" />
          <div>
            It came here by {exchangeName(message.exchange)} with “{message.routing_key}”.
          </div>
        </li>
      </ol>
    </>
  );
}

const FORMS: [Form, string][] = [
  ['json', 'JSON'],
  ['text', 'Text'],
  ['hex', 'Hex'],
];

function BodyView({ message }: { message: Shown }) {
  const body = useMemo(
    () => decode(message.payload, message.payload_encoding),
    [message.payload, message.payload_encoding],
  );
  const [form, setForm] = useState<Form>(bestForm(body));
  const can: Record<Form, boolean> = { json: body.json !== null, text: body.text !== null, hex: true };
  const text = form === 'json' ? body.json : form === 'text' ? body.text : hex(body.octets);
  const cut = message.payload_bytes > body.octets.length;
  return (
    <>
      <div class="body-head">
        <h2 class="minor">Body</h2>
        <span class="muted">
          {bytes(message.payload_bytes)}
          {cut && `, of which the first ${bytes(body.octets.length)} are shown`}
        </span>
        <div class="ranges" role="group" aria-label="How the body is shown">
          {FORMS.filter(([id]) => can[id]).map(([id, title]) => (
            <button aria-pressed={form === id} onClick={() => setForm(id)}>
              {title}
            </button>
          ))}
        </div>
        <button class="quiet" onClick={() => void navigator.clipboard?.writeText(text ?? '')}>
          Copy
        </button>
      </div>
      <pre class="body" tabIndex={0}>{text === '' ? <span class="faint">empty</span> : text}</pre>
    </>
  );
}
