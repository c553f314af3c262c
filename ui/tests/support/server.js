// A real server, as users start it.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..', '..');
const program = process.env.LEVERET_BINARY ?? join(root, 'target', 'debug', 'leveret');

export class Server {
  /** Starts it on free ports, or on those of a server that was there before. */
  static async start({ amqp = 0, http = 0, args = [] } = {}) {
    const server = new Server();
    server.args = args;
    server.child = spawn(
      program,
      ['serve', '--ephemeral', '--amqp', `127.0.0.1:${amqp}`, '--management', `127.0.0.1:${http}`, ...args],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let log = '';
    await new Promise((resolve, reject) => {
      const read = (octets) => {
        log += String(octets);
        const started = log.match(/Server startup complete.*HTTP API on \S*?:(\d+);.*AMQP on \S*?:(\d+)\n/);
        if (!started) return;
        [server.http, server.amqp] = [Number(started[1]), Number(started[2])];
        resolve();
      };
      server.child.stdout.on('data', read);
      server.child.stderr.on('data', read);
      server.child.on('exit', () => reject(new Error(`the server ended:\n${log}`)));
    });
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.http}/`;
  }

  async stop() {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await ended;
  }

  /** The same server once more, on its old ports, with nothing in it. */
  async again() {
    await this.stop();
    const next = await Server.start({ amqp: this.amqp, http: this.http, args: this.args });
    this.child = next.child;
  }

  /** Calls the HTTP API. */
  async call(method, path, body, login = 'guest:guest') {
    const response = await fetch(`${this.url}api/${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(login).toString('base64')}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }
}

/** A broker for tests, as test frameworks start it. */
export class TestServer extends Server {
  static async start(args = []) {
    const server = new TestServer();
    server.child = spawn(program, ['test', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    let out = '';
    const ready = await new Promise((resolve, reject) => {
      server.child.stdout.on('data', (octets) => {
        out += String(octets);
        if (out.includes('\n')) resolve(JSON.parse(out));
      });
      server.child.on('exit', () => reject(new Error(`the broker ended: ${out}`)));
    });
    server.http = Number(new URL(ready.management).port);
    server.amqp = Number(new URL(ready.amqp).port);
    server.ready = ready;
    return server;
  }

  /** Calls the control API. */
  async control(method, path, body) {
    const response = await fetch(this.ready.control + path, {
      method,
      headers: { authorization: `Bearer ${this.ready.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  async stop() {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    // It ends with whoever started it.
    this.child.stdin.end();
    await ended;
  }
}
