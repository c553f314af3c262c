// The way in.
import { useState } from 'preact/hooks';
import { logIn } from '../lib/session';
import { Failure, useAction } from '../parts/dialog';
import { Logo } from '../parts/icon';

export function Login() {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const { busy, error, run } = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(() => logIn(name, password));
  };
  return (
    <main class="login">
      <form onSubmit={submit}>
        <h1>
          <Logo /> leveret
        </h1>
        <p class="muted">See what your broker is doing.</p>
        <label class="field">
          <span>User</span>
          <input
            autofocus
            required
            name="username"
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>Password</span>
          <input
            required
            type="password"
            name="password"
            autocomplete="current-password"
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </label>
        <Failure error={error} />
        <button class="primary" disabled={busy}>
          {busy ? 'Logging in…' : 'Log in'}
        </button>
        <p class="muted small">
          The users are the broker's own. A new broker has <code>guest</code> with the password{' '}
          <code>guest</code>, who may log in from the broker's machine only.
        </p>
      </form>
    </main>
  );
}
