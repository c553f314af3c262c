// The time of a broker, in the test's hands.

import { milliseconds } from "./control.js";

/** The time of a broker. */
export class Clock {
  #control;

  constructor(control) {
    this.#control = control;
  }

  /** Milliseconds since 1970, as the broker sees them. */
  async nowMs() {
    return (await this.#control.call("GET", "/clock")).now_ms;
  }

  /** Moves time on. When this resolves, what follows has happened in the broker. */
  async advance(by) {
    await this.#control.call("POST", "/clock/advance", { ms: milliseconds(by) });
  }

  /** Moves time on to the next deadline: a message or a queue that expires, a delay. */
  async advanceToNextEvent() {
    await this.#control.call("POST", "/clock/advance", { to_next_event: true });
  }
}
