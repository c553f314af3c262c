// How far readers of a stream have come: the offsets that it keeps by their names.
import { useState } from 'preact/hooks';
import { call, seg } from '../lib/api';
import { count, integer } from '../lib/format';
import { refresh, useAnswer } from '../lib/watch';
import { Empty, Fact, Facts, Field, Loading, Num } from './bits';
import { Failure, tell, useAction } from './dialog';

interface Offsets {
  first_offset: number;
  next_offset: number;
  offsets: { name: string; offset: number }[];
}

export function StreamOffsets({ vhost, name }: { vhost: string; name: string }) {
  const path = `api/leveret/streams/${seg(vhost)}/${seg(name)}/offsets`;
  const answer = useAnswer<Offsets>(`/${path}`);
  const [reader, setReader] = useState('');
  const [offset, setOffset] = useState('');
  const { busy, error, run } = useAction();
  if (!answer) return <Loading />;
  if (answer.status !== 200) return <Empty title="You may not see the offsets of this stream" />;
  const { first_offset: first, next_offset: next, offsets } = answer.body;
  const put = (name: string, offset: number) => call('PUT', `${path}/${seg(name)}`, { offset }).then(refresh);
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      await put(reader, Number(offset));
      tell(`“${reader}” goes on from ${integer(Number(offset))}.`);
    });
  };
  const forget = async (name: string, offset: number) => {
    await call('DELETE', `${path}/${seg(name)}`);
    refresh();
    tell(`The offset of “${name}” is forgotten.`, { undo: () => put(name, offset) });
  };
  return (
    <>
      <section class="card">
        <Facts>
          <Fact name="First offset that is kept">
            <Num value={first} />
          </Fact>
          <Fact name="Offset of the next message">
            <Num value={next} />
          </Fact>
        </Facts>
        {offsets.length === 0 ? (
          <Empty title="No reader has left an offset">
            <p>A consumer with a name has the stream keep how far it has come, and goes on from there the next time.</p>
          </Empty>
        ) : (
          <table class="plain">
            <thead>
              <tr>
                <th>Reader</th>
                <th class="num">Offset</th>
                <th class="num">Behind</th>
                <th>
                  <span class="hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {offsets.map(({ name, offset }) => (
                <tr key={name}>
                  <td>{name}</td>
                  <td class="num">{integer(offset)}</td>
                  <td class="num">{count(Math.max(next - 1 - offset, 0), 'message')}</td>
                  <td class="num">
                    <button
                      class="quiet"
                      onClick={() => void forget(name, offset).catch((e: Error) => tell(e.message, { bad: true }))}
                    >
                      Forget
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      <form class="card" onSubmit={submit}>
        <h2 class="part">Set an offset</h2>
        <div class="row">
          <Field label="Reader">
            <input required spellcheck={false} value={reader} onInput={(event) => setReader(event.currentTarget.value)} />
          </Field>
          <Field label="Offset">
            <input
              required
              type="number"
              min="0"
              value={offset}
              onInput={(event) => setOffset(event.currentTarget.value)}
            />
          </Field>
        </div>
        <Failure error={error} />
        <div class="buttons">
          <button disabled={busy}>Set it</button>
        </div>
      </form>
    </>
  );
}
