// Questions that are asked in front of the page, and what is told at its edge.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './icon';

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
}

export function Dialog({ title, onClose, children, wide }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? 'wide' : ''}
      aria-label={title}
      onClose={onClose}
      onCancel={onClose}
      onMouseDown={(event) => {
        if (event.target === element.current) onClose();
      }}
    >
      <header>
        <h2>{title}</h2>
        <button class="quiet" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  /** What will be gone, and that it does not come back. */
  children: ComponentChildren;
  /** What has to be typed. */
  word: string;
  action: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before something is destroyed: its name has to be typed. */
export function Confirm({ title, children, word, action, onConfirm, onClose }: ConfirmProps) {
  const [typed, setTyped] = useState('');
  const { busy, error, run } = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    if (typed === word && !busy) void run(onConfirm).then((done) => done && onClose());
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        {children}
        <label class="field">
          <span>
            To go on, type <strong class="word">{word}</strong>
          </span>
          <input
            autofocus
            value={typed}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <Failure error={error} />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="danger" disabled={typed !== word || busy}>
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Runs what a button does: once at a time, and with what went wrong kept to be shown. */
export function useAction() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');
  const run = async (action: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setError('');
    try {
      await action();
      return true;
    } catch (failed) {
      setError(failed instanceof Error ? failed.message : String(failed));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, setError, run };
}

export function Failure({ error }: { error: string }) {
  return error ? (
    <p class="failure" role="alert">
      {error}
    </p>
  ) : null;
}

// --- What was done, at the edge of the page

interface Note {
  id: number;
  text: string;
  bad: boolean;
  undo: (() => Promise<unknown>) | undefined;
  /** It is yet to be done: to dismiss it would hide the way back. */
  pending?: boolean;
}

const NOTE_MS = 6000;
let notes: Note[] = [];
let ids = 0;
let changed = () => {};

/** Notes with one more. The oldest go, but for those that can still be called off. */
const withNote = (note: Note) => {
  const gone = notes.filter(({ pending }) => !pending).slice(0, -3);
  notes = [...notes.filter((old) => !gone.includes(old)), note];
  changed();
};

/** Tells what was done. With `undo` there is a button for as long as it is there. */
export function tell(text: string, { bad = false, undo }: { bad?: boolean; undo?: () => Promise<unknown> } = {}) {
  const id = ++ids;
  withNote({ id, text, bad, undo });
  setTimeout(() => dismiss(id), undo || bad ? NOTE_MS * 2 : NOTE_MS);
}

/** Time to think again before something is done that cannot be undone. */
const LATER_MS = 5000;

/** Does something in a few seconds, unless it is called off; tells then what came of it. */
export function later(text: string, action: () => Promise<string>) {
  const id = ++ids;
  const timer = setTimeout(() => {
    dismiss(id);
    action().then(
      (done) => done && tell(done),
      (error: Error) => tell(error.message, { bad: true }),
    );
  }, LATER_MS);
  const undo = () => {
    clearTimeout(timer);
    return Promise.resolve();
  };
  withNote({ id, text, bad: false, undo, pending: true });
}

const dismiss = (id: number) => {
  notes = notes.filter((note) => note.id !== id);
  changed();
};

export function Notes() {
  const [, set] = useState(0);
  useEffect(() => {
    changed = () => set((n) => n + 1);
  }, []);
  return (
    <div class="notes" role="status" aria-live="polite">
      {notes.map((note) => (
        <div key={note.id} class={note.bad ? 'note bad' : 'note'}>
          <span>{note.text}</span>
          {note.undo && (
            <button
              onClick={() => {
                dismiss(note.id);
                note.undo?.().then(
                  () => tell('It is undone.'),
                  (error: Error) => tell(error.message, { bad: true }),
                );
              }}
            >
              Undo
            </button>
          )}
          {!note.pending && (
            <button class="quiet" aria-label="Dismiss" onClick={() => dismiss(note.id)}>
              <Icon name="close" />
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
